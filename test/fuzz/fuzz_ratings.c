/* fuzz_ratings.c - a file of ratings, as bytes: refused with a reason, or two tables. */
#include <stdint.h>
#include <stdlib.h>

#include "tools/report/ratings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ratings_t study;
    error_info_t error;
    if (!ratings_parse((const char *)data, size, "fuzz", &study, &error))
        return 0;
    report_t report = {0};
    ratings_add_tables(&study, &report);
    if (report.result_count != 2 || study.row_count == 0)
        abort();
    report_clear(&report);
    ratings_clear(&study);
    return 0;
}
