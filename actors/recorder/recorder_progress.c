/* recorder_progress.c - the line that people see while a recording is made. */
#include "actors/recorder/recorder_progress.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/runtime/clock.h"

static const int64_t TELL_EVERY = 3 * CLOCK_SECOND;

void recorder_progress_count(recorder_progress_t *progress, int64_t now, uint64_t done) {
    progress->rate_at = now;
    progress->rate_from = done;
}

void recorder_progress_rate(const recorder_progress_t *progress, int64_t now, size_t length,
                            recording_progress_t *standing) {
    double span = (double)(now - progress->rate_at) / 1e6;
    double rate = span > 0 ? (double)(standing->done - progress->rate_from) / span : 0;
    standing->rate = rate * (double)length;
    standing->eta = rate > 0 ? (double)(standing->total - standing->done) / rate : (double)NAN;
}

static void write_line(const recording_progress_t *standing, buffer_t *line) {
    char done[32], of[32], tokens[32], eta[32];
    text_format_count(standing->done, done);
    text_format_count(standing->total, of);
    if (standing->step == RECORDING_STORING)
        buffer_append_format(line, "recording: %s of %s neurons are stored", done, of);
    else
        buffer_append_format(line,
                             "recording, pass %d of 2: %s of %s excerpts  %s tokens/s  ETA %s",
                             standing->step == RECORDING_FIRST_PASS ? 1 : 2, done, of,
                             text_format_count((uint64_t)standing->rate, tokens),
                             isnan(standing->eta) ? "?" : text_format_duration(standing->eta, eta));
}

void recorder_progress_show(recorder_progress_t *progress, int64_t now,
                            const recording_progress_t *standing, bool last) {
    if (!progress->write ||
        (!last && !progress->terminal && now - progress->shown_at < progress->quiet))
        return;
    progress->shown_at = now;
    buffer_t line = BUFFER_EMPTY;
    write_line(standing, &line);
    char *text = progress->terminal
                     ? memory_format("\r\033[K%s%s", buffer_text(&line), last ? "\n" : "")
                     : memory_format("glia: %s\n", buffer_text(&line));
    if (!last || progress->line_open)
        progress->write(progress->context, text);
    progress->line_open = !last;
    free(text);
    buffer_free(&line);
}

bool recorder_progress_tells(recorder_progress_t *progress, int64_t now) {
    if (now - progress->told_at < TELL_EVERY)
        return false;
    progress->told_at = now;
    return true;
}
