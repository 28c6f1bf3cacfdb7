/* markup.h - text into HTML and SVG: shown, never markup. Pure. Private to report/. */
#ifndef GLIA_TOOLS_REPORT_MARKUP_H
#define GLIA_TOOLS_REPORT_MARKUP_H

#include "core/base/buffer.h"

void markup_append(const char *text, buffer_t *out); /* escapes & < > " ' */

#endif
