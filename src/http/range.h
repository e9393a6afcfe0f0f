// SPDX-License-Identifier: MIT
// Range requests (RFC 9110, 14): one range of bytes.
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdint.h>

enum range_result { RANGE_WHOLE, RANGE_PART, RANGE_UNSATISFIABLE };

// header: value of Range or NULL; several ranges, other units and malformed ones give the whole.
enum range_result range_parse(const char *header, uint64_t length, uint64_t *first,
                              uint64_t *count);

#endif
