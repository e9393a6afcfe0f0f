// SPDX-License-Identifier: MIT
#include "duty.h"

#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"

#define DAY_US (86400 * US_PER_S)

void duty_set(struct duty *duty, const struct dvr_conf *dvr)
{
    memcpy(duty->span, dvr->span, sizeof duty->span);
    duty->span_count = dvr->span_count;
    duty->offline = dvr->offline;
    duty->asked_us = -1; // the segment that is being collected is judged again
}

static bool on_schedule(const struct duty *duty, int64_t utc_us)
{
    unsigned minute = (unsigned)(utc_us % DAY_US / (60 * US_PER_S));
    for (unsigned i = 0; i < duty->span_count; i++) {
        const struct dvr_span *span = &duty->span[i];
        bool after = minute >= span->from_m, before = minute < span->to_m;
        if (span->from_m < span->to_m ? after && before : after || before)
            return true;
    }
    return duty->span_count == 0;
}

enum reason duty_pause(const struct archive *archive, int64_t utc_us)
{
    enum journal_switch on = archive->journal.records.recording;
    if (on == SWITCH_OFF || (on == SWITCH_NEVER && archive->duty.offline))
        return REASON_DISABLED;
    return on_schedule(&archive->duty, utc_us) ? REASON_NONE : REASON_SCHEDULE;
}

bool duty_takes(struct archive *archive, int64_t utc_start_us)
{
    struct duty *duty = &archive->duty;
    if (utc_start_us == duty->asked_us)
        return duty->pause == REASON_NONE;
    duty->asked_us = utc_start_us;
    duty->pause = duty_pause(archive, utc_start_us);
    if (duty->pause == REASON_NONE)
        return true;
    recorder_on_lost(&archive->recorder);
    archive_mark(archive, duty->pause);
    return false;
}
