/* SPDX-License-Identifier: MIT */
/*
 * mockllm: a scripted upstream. It speaks what platforms speak (chat, completions, embeddings,
 * responses, messages, models), misbehaves on demand (behaviours.def), and records what it was
 * sent. Answers are deterministic: fixed ids and times.
 *
 * A program (main.c) and, for unit tests, a part of the test's own process: mock_start runs it on
 * a thread.
 */
#ifndef MOCK_H
#define MOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/host.h"
#include "http/head.h"
#include "json/write.h"

enum mock_behaviour {
#define XX(name, text, number, help) MOCK_##name,
#include "behaviours.def"
#undef XX
    MOCK_BEHAVIOURS
};

/* What one request is answered like. */
struct mock_how {
    bool on[MOCK_BEHAVIOURS];
    int64_t n[MOCK_BEHAVIOURS]; /* valid where on */
};
/* Reads "mock-crlf+slow-5" or "crlf+slow-5"; adds to how. Unknown names mean nothing. */
void mock_how_read(struct mock_how *how, struct lb_str text);
void mock_how_help(FILE *to);

struct mock_options {
    const char *address;   /* "127.0.0.1:0" */
    const char *cert_file; /* both or none */
    const char *key_file;
    const char *record_file; /* NULL: none */
    const char *models;      /* "a,b=TYPE,c"; NULL: mock-model */
    const char *models_mode; /* "ok", "nolist", "html", "v1only", or a status; NULL: "ok" */
    const char *require_key; /* others get 401; NULL: any */
    bool quiet;              /* records nothing */
};

struct mock;
struct ln_loop;

/* On a loop of the caller's. */
llmgr_status mock_new(struct ln_loop *loop, const struct mock_options *options, struct mock **mock,
                      struct llmgr_error *err);
void mock_free(struct mock *mock); /* before the loop */
uint16_t mock_port(const struct mock *mock);

/* Counts that tests on other threads read. */
struct mock_counts {
    _Atomic unsigned accepted; /* connections so far */
    _Atomic unsigned open;     /* connections now */
    _Atomic unsigned requests; /* complete requests so far */
    _Atomic uint64_t written;  /* bytes given to sockets */
};
struct mock_counts *mock_counts(struct mock *mock);

/* A mock on a thread of its own; NULL if it does not start. */
struct mock_thread;
struct mock_thread *mock_start(const struct mock_options *options);
void mock_stop(struct mock_thread *thread);
uint16_t mock_thread_port(const struct mock_thread *thread);
struct mock_counts *mock_thread_counts(struct mock_thread *thread);
/* All requests recorded so far as one JSON array; the caller frees with free(). */
char *mock_thread_requests(struct mock_thread *thread);

/* ---- Inside ---------------------------------------------------------------------------------- */

/* A complete request. */
struct mock_request {
    const struct lh_head *head;
    struct lb_str body;
    json_t *json; /* the body; NULL if it is none */
    struct mock_how how;
    struct lb_str key; /* as presented, without "Bearer " */
    const struct mock_options *options;
};

/* An answer before it is framed. */
struct mock_answer {
    int status;
    const char *type;
    struct lb_buf fields; /* further header lines */
    struct lb_buf body;
    struct lb_buf marks; /* size_t each: ends of the events in the body; empty: no stream */
    bool is_stream;
};

/* answers.c: fills the answer for any path but /_mock/. */
void mock_answer(const struct mock_request *request, struct mock_answer *answer);
/* kept.c: false if the path is none of what is kept. */
bool mock_kept(const struct mock_request *request, struct mock_answer *answer);
/* streams.c */
void mock_chat(const struct mock_request *request, struct mock_answer *answer);
void mock_other_stream(const struct mock_request *request, struct mock_answer *answer,
                       const char *text);
/* An event: "event: TYPE" if type is not NULL, then data. Ends with the line ends asked for. */
void mock_event(const struct mock_request *request, struct mock_answer *answer, const char *type,
                struct lb_str data);
/* Two calls of tools in the dialect of messages; the first one's input, and what opens it. */
#define MOCK_TOOL_INPUT_1 "{\"city\":\"Paris\"}"
#define MOCK_TOOL_USE_1(input)                                                                     \
    "{\"type\":\"tool_use\",\"id\":\"toolu_mock_1\",\"name\":\"get_weather\",\"input\":" input "}"
#define MOCK_TOOL_USE_2                                                                            \
    "{\"type\":\"tool_use\",\"id\":\"toolu_mock_2\",\"name\":\"get_time\",\"input\":{}}"
/* What the assistant says to this request. */
void mock_say(const struct mock_request *request, struct lb_buf *text);

/* record.c */
struct mock_recorder;
struct mock_recorder *mock_recorder_new(const struct lb_host *host, const char *file);
void mock_recorder_free(struct mock_recorder *recorder);
void mock_record(struct mock_recorder *recorder, const struct mock_request *request,
                 uint64_t connection, bool dropped);
void mock_recorded(struct mock_recorder *recorder, struct lb_buf *array);
void mock_forget(struct mock_recorder *recorder);

#endif
