/* job.c - releasing and failing jobs. */
#include "actors/sweep/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/batch_line.h"
#include "core/base/text.h"

void job_free(void *pointer) {
    job_t *job = pointer;
    if (!job)
        return;
    free(job->label);
    free(job->explanation);
    free(job->baseline);
    for (size_t i = 0; i < job->text_count; i++)
        free(job->texts[i]);
    free(job->texts);
    free(job->keys);
    batch_line_free(job->line);
    free(job);
}

void job_fail(job_t *job, bool terminal, const char *verdict, const char *format, ...) {
    job_trouble_t *trouble = &job->trouble;
    job->outcome = OUTCOME_FAILED;
    trouble->terminal = terminal;
    snprintf(trouble->verdict, sizeof trouble->verdict, "%s", verdict);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trouble->message, sizeof trouble->message, format, arguments);
    va_end(arguments);
    trouble->message[text_utf8_valid_prefix(trouble->message, strlen(trouble->message))] = '\0';
}
