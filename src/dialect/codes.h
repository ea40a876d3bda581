/* SPDX-License-Identifier: MIT */
/*
 * An error of a platform's as the words by which tables know it: its codes, wherever the platform
 * puts them, and its message, all in lower case and cut to what fits. Nothing is kept of the body.
 */
#ifndef LD_CODES_H
#define LD_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"

enum {
    LD_CODES_MAX = 600,          /* bytes of all codes */
    LD_CODES_MESSAGE_MAX = 1000, /* and of the message */
};

struct ld_codes {
    size_t codes_size, message_size;
    char codes[LD_CODES_MAX]; /* each with a line end behind it */
    char message[LD_CODES_MESSAGE_MAX];
    int http_status;        /* that the error names itself, 400 to 599; 0: none */
    int64_t retry_after_ms; /* that it names itself (retry_after.h); -1: none */
    bool is_markup;         /* it is a page for people */
};

/*
 * Codes are the members code, type, status, reason, error_code and error_type of the error, of what
 * holds it, of its metadata and its details; strings, or whole numbers as such. MiniMax's are
 * "base_resp.1008", for they are others' numbers too. Where memory is short, nothing was said.
 */
void ld_codes_read(const struct lb_host *host, struct lb_str body, struct ld_codes *codes);

/* Is one of the codes this one? All texts to compare with are in lower case. */
bool ld_codes_have(const struct ld_codes *codes, struct lb_str code);
/* Does one of them begin so? */
bool ld_codes_have_family(const struct ld_codes *codes, struct lb_str start);
/* Does the message hold, begin with, or consist of these words? */
bool ld_codes_say(const struct ld_codes *codes, struct lb_str words);
bool ld_codes_start(const struct ld_codes *codes, struct lb_str words);
bool ld_codes_are(const struct ld_codes *codes, struct lb_str words);

#endif
