/* SPDX-License-Identifier: MIT */
/* Behaviours by name: reading a request for them and telling which there are. */
#include "mock.h"

static const struct row {
    const char *name;
    int64_t number;
    const char *help;
} ROWS[] = {
#define XX(name, text, number, help) {text, number, help},
#include "behaviours.def"
#undef XX
};

/* "name" or "name-N"; false if `word` is not this row's. */
static bool matches(const struct row *row, struct lb_str word, int64_t *number)
{
    struct lb_str name = lb_cstr(row->name);

    *number = row->number;
    if (lb_str_eq(word, name))
        return true;
    if (!lb_str_starts(word, name) || word.p[name.size] != '-')
        return false;
    return lb_str_to_i64(lb_str_sub(word, name.size + 1, word.size), number);
}

static void read_word(struct mock_how *how, struct lb_str word)
{
    uint64_t status;

    if (word.size == 3 && lb_str_to_u64(word, &status) && status >= 200 && status <= 599) {
        how->on[MOCK_STATUS] = true;
        how->n[MOCK_STATUS] = (int64_t)status;
        return;
    }
    for (size_t i = 0; i < MOCK_BEHAVIOURS; i++) {
        int64_t number;
        if (!matches(&ROWS[i], word, &number))
            continue;
        how->on[i] = true;
        how->n[i] = number;
        return;
    }
}

void mock_how_read(struct mock_how *how, struct lb_str text)
{
    if (lb_str_starts(text, LB_STR("mock-")))
        text = lb_str_sub(text, 5, text.size);
    while (text.size > 0) {
        size_t end = lb_str_find(text, '+');
        read_word(how, lb_str_trim(lb_str_sub(text, 0, end)));
        text = lb_str_sub(text, end + 1, text.size);
    }
}

void mock_how_help(FILE *to)
{
    for (size_t i = 0; i < MOCK_BEHAVIOURS; i++) {
        char name[40];
        if (ROWS[i].number != 0)
            snprintf(name, sizeof name, "mock-%s[-%lld]", ROWS[i].name, (long long)ROWS[i].number);
        else
            snprintf(name, sizeof name, "mock-%s", ROWS[i].name);
        fprintf(to, "  %-28s %s\n", name, ROWS[i].help);
    }
}
