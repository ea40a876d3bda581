/* SPDX-License-Identifier: MIT */
/*
 * What is surely meant otherwise: forms of other programs that would be taken at their word here,
 * and then not do what they say. Pure functions; whoever asks refuses, and tells the right form.
 */
#ifndef LC_MEANT_H
#define LC_MEANT_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Does the text hold a variable in the form of a shell or of another program: ${NAME}, $NAME,
 * %NAME%, os.environ/NAME, {{ NAME }}, {env:NAME}, env:NAME, process.env.NAME? *name gets the
 * variable's name, empty if none can be made out. {NAME} is our own form, and none of these.
 */
bool lc_meant_variable(struct lb_str text, struct lb_str *name);

/* The whole of the text is "{NAME}", which is filled in in base_url, api_key and headers only. */
bool lc_meant_placeholder(struct lb_str text, struct lb_str *name);

/*
 * A base URL that names an endpoint, such as https://host/v1/chat/completions: the size of the base
 * in it ("https://host/v1"). 0: it names none.
 */
size_t lc_meant_base_url(struct lb_str url);

#endif
