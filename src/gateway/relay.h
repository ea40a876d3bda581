/* SPDX-License-Identifier: MIT */
/*
 * RELAY: the platform's answer on its way to the client.
 *
 *   exchange --head--> [2xx: our head | else: collected] --payload--> filter --> signing --> client
 *        ^                                                               (or none)         |
 *        +------------------ pause while more than LG_OUT_HIGH wait <----------------------+
 *
 * Slices of one read leave in one write, together with the head if it came in the same read. The
 * attempt is settled before its last byte leaves.
 */
#ifndef LG_RELAY_H
#define LG_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "dialect/filter.h"
#include "dialect/signer.h"
#include "dialect/splice.h"
#include "gateway/request.h"
#include "upstream/exchange.h"

struct lg_signing;

struct lg_relay {
    bool withhold;    /* the usage chunk is only for us */
    bool asked_usage; /* stream_options went along */
    bool signs;       /* ids in the answer are signed, as those of this family: */
    enum ld_signed_family family;

    bool relayed;   /* a 2xx: it passes */
    bool refused;   /* an error: collected */
    bool head_sent; /* our head has left */
    bool events;    /* an event stream leaves */
    bool is_over;   /* nothing more comes from the platform */
    bool is_held;   /* all of it is here and waits to be recorded */
    bool settled;   /* the ledger has its record */
    bool started;   /* the exchange was */
    bool pinged;    /* the head left with a ping, before the platform's came */
    int upstream_status;
    int64_t began_at;      /* loop time, ms */
    int64_t began_ms;      /* wall clock */
    int64_t first_byte_at; /* -1: none came */
    int64_t retry_after_ms;
    llmgr_end_state end;
    struct lb_buf refusal;
    struct lg_signing *signing; /* behind the filter; NULL: nothing is signed */
    struct ld_filter *filter;   /* of a 2xx; NULL: its head has not come */
};

extern const struct lu_face lg_relay_face;

/* A new attempt's, in the arena; replaces request->relay. NULL: memory. */
struct lg_relay *lg_relay_new(struct lg_request *request);
/* The exchange has started. */
void lg_relay_start(struct lg_request *request);
/* Gives back what the relay holds outside of the arena, and the exchange. */
void lg_relay_free(struct lg_request *request);
/* step_settle.c: the attempt's record, once; before the last byte leaves. */
void lg_settle_attempt(struct lg_request *request);

#endif
