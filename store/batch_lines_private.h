/* batch_lines_private.h - the values of BATCH_LINES; see values.h. */
#ifndef GLIA_STORE_BATCH_LINES_PRIVATE_H
#define GLIA_STORE_BATCH_LINES_PRIVATE_H

#include "store/batch_lines.h"

enum { BATCH_LINE_KEY_SIZE = 12 };
bool batch_line_decode(const void *bytes, size_t size, batch_row_t *row); /* custom_id borrowed */

#endif
