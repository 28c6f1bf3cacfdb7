#!/bin/bash
# Writes a C file that holds the named data files byte for byte (through the assembler's .incbin)
# and the table behind core/base/embedded.h.
set -eu
symbol() { echo "data_${1//[^a-zA-Z0-9]/_}"; }
echo '#include <string.h>'
echo '#include "core/base/embedded.h"'
for f in "$@"; do
    s=$(symbol "$f")
    printf '__asm__(".section .rodata\\n.balign 16\\n'
    printf '%s: .incbin \\"%s\\"\\n%s_end: .byte 0\\n.previous\\n");\n' "$s" "$f" "$s"
    printf 'extern const char %s[], %s_end[];\n' "$s" "$s"
done
echo 'static const struct { const char *name, *data, *end; } files[] = {'
printf '%s\n' "$@" | LC_ALL=C sort | while read -r f; do
    s=$(symbol "$f")
    echo "    {\"$f\", $s, ${s}_end},"
done
cat <<'C'
};
bool embedded_at(size_t index, embedded_file_t *file) {
    if (index >= sizeof files / sizeof files[0])
        return false;
    size_t size = (size_t)(files[index].end - files[index].data);
    *file = (embedded_file_t){.name = files[index].name, .data = files[index].data, .size = size};
    return true;
}
bool embedded_find(const char *name, embedded_file_t *file) {
    for (size_t i = 0; embedded_at(i, file); i++)
        if (strcmp(file->name, name) == 0)
            return true;
    return false;
}
C
