/* material.h - what most drawn rehearsals work on: neurons of a few short sentences, prompts of a
 * few words. The shipped puzzles and templates are a hundred times as many bytes and tell the
 * orchestrator nothing more. */
#ifndef GLIA_TEST_MATERIAL_H
#define GLIA_TEST_MATERIAL_H

enum { MATERIAL_NEURONS = 6 };

/* Writes records.json into `directory`: MATERIAL_NEURONS puzzles, always the same.
 * Failure aborts. */
void material_write_records(const char *directory);
/* Writes the templates of all layouts and their examples. `explain` and `simulate`
 * number the wordings (editions) of the explainers' and of the simulators'; another
 * number makes other jobs. */
void material_write_prompts(const char *directory, unsigned explain, unsigned simulate);

#endif
