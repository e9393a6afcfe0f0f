// SPDX-License-Identifier: MIT
// Any bytes as /etc/fstab: a mount point that is found is a part of the path.
#include "fstab_parse.h"

#include <string.h>

#include "base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/disk one/cams", "/mnt/data", "/a/b/c/d", "/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t length = fstab_mount_point((struct bytes){.data = data, .length = size}, paths[i]);
        ENSURE(length <= strlen(paths[i]) && length != 1);
    }
    return 0;
}
