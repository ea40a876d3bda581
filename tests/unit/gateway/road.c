/* SPDX-License-Identifier: MIT */
/* See the header. Linked with --wrap for the functions whose __wrap_ stands here. */
#include "road.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/concurrency.h"
#include "base/log_file.h"
#include "gateway/body.h"
#include "http/head.h"
#include "library/library.h"
#include "manager/manager.h"
#include "net/listen.h"
#include "net/share.h"
#include "vault/secret.h"

enum { TURNS = 4, LIMIT = 1 << 20, WATCHDOG_MS = 60000 };

static struct road *now; /* the road that is walked: what is wrapped has no other way to it */
static atomic_long living;

/* ---- Exchanges ------------------------------------------------------------------------------- */

llmgr_status __wrap_lu_exchange_start(struct lu_pool *pool, const struct lu_request *request,
                                      const struct lu_face *face, void *context,
                                      struct lu_exchange **exchange, struct llmgr_error *err);
llmgr_status __wrap_lu_exchange_write(struct lu_exchange *exchange, struct lb_str bytes,
                                      bool *full);
llmgr_status __wrap_lu_exchange_finish(struct lu_exchange *exchange);
void __wrap_lu_exchange_pause(struct lu_exchange *exchange);
void __wrap_lu_exchange_resume(struct lu_exchange *exchange);
void __wrap_lu_exchange_fail(struct lu_exchange *exchange, const struct llmgr_error *err);
void __wrap_lu_exchange_forget(struct lu_exchange *exchange);
const struct lu_stats *__wrap_lu_exchange_stats(const struct lu_exchange *exchange);

static struct exchange *played(struct lu_exchange *exchange)
{
    return (void *)exchange;
}

static void copy(char *to, size_t size, struct lb_str from)
{
    size_t used = strlen(to);

    assert_true(used + from.size < size);
    if (from.size > 0)
        memcpy(to + used, from.p, from.size);
    to[used + from.size] = '\0';
}

/* As the head is written: the key is there for that moment. */
static llmgr_status take_key(struct exchange *x, const struct lu_request *request,
                             struct llmgr_error *err)
{
    struct lv_secret key;

    if (request->open_key == NULL)
        return LLMGR_OK;
    lv_secret_init(&key);
    llmgr_status status = request->open_key(request->key_context, &key, err);
    if (status == LLMGR_OK)
        copy(x->key, sizeof x->key, lv_secret_str(&key));
    lv_secret_clear(&key);
    return status;
}

llmgr_status __wrap_lu_exchange_start(struct lu_pool *pool, const struct lu_request *request,
                                      const struct lu_face *face, void *context,
                                      struct lu_exchange **exchange, struct llmgr_error *err)
{
    struct exchange *x = &now->exchanges[now->count];

    (void)pool;
    if (now->start_fails != LLMGR_OK)
        return lb_fail(err, now->start_fails, "planted");
    assert_true(now->count < ROAD_EXCHANGES);
    *x = (struct exchange){
        .face = face,
        .context = context,
        .stats = {.connected_at = 0, .sent_at = 0},
        .body_kind = request->body_kind,
        .is_running = true,
        .loop = now->worker->loop,
    };
    copy(x->method, sizeof x->method, request->method);
    copy(x->path, sizeof x->path, request->path);
    copy(x->url, sizeof x->url, request->url);
    for (size_t i = 0; i < request->field_count; i++) {
        copy(x->fields, sizeof x->fields, request->fields[i].name);
        copy(x->fields, sizeof x->fields, LB_STR(": "));
        copy(x->fields, sizeof x->fields, request->fields[i].value);
        copy(x->fields, sizeof x->fields, LB_STR("\n"));
    }
    for (size_t i = 0; i < request->body_count; i++)
        copy(x->body, sizeof x->body, request->body[i]);
    llmgr_status status = take_key(x, request, err);
    if (status != LLMGR_OK)
        return status;
    now->count++;
    *exchange = (void *)x;
    return LLMGR_OK;
}

static void tell_end(void *context)
{
    struct exchange *x = context;

    x->is_running = false;
    if (!x->forgotten)
        x->face->end((void *)x, x->context, &x->why);
}

void __wrap_lu_exchange_fail(struct lu_exchange *exchange, const struct llmgr_error *err)
{
    struct exchange *x = played(exchange);

    assert_true(x->is_running && !x->forgotten);
    x->why = *err;
    ln_defer_start(x->loop, &x->ending, tell_end, x);
}

void __wrap_lu_exchange_forget(struct lu_exchange *exchange)
{
    played(exchange)->forgotten = true;
}

void __wrap_lu_exchange_pause(struct lu_exchange *exchange)
{
    played(exchange)->paused = true;
}

void __wrap_lu_exchange_resume(struct lu_exchange *exchange)
{
    played(exchange)->paused = false;
}

llmgr_status __wrap_lu_exchange_write(struct lu_exchange *exchange, struct lb_str bytes, bool *full)
{
    copy(played(exchange)->body, sizeof played(exchange)->body, bytes);
    *full = false;
    return LLMGR_OK;
}

llmgr_status __wrap_lu_exchange_finish(struct lu_exchange *exchange)
{
    played(exchange)->finished = true;
    return LLMGR_OK;
}

const struct lu_stats *__wrap_lu_exchange_stats(const struct lu_exchange *exchange)
{
    const struct exchange *x = (const void *)exchange;

    return &x->stats;
}

void x_head(struct exchange *x, const char *head)
{
    struct lh_field fields[LH_FIELDS];
    struct lh_head parsed;

    assert_true(x->is_running && !x->forgotten);
    if (x->holds_body)
        x->stats.sent_at = -1;
    lh_head_init_response(&parsed, fields, LH_FIELDS, &lh_limits_default, LH_REPLY_TO_OTHER);
    assert_int_equal(lh_head_parse(&parsed, head, strlen(head)), LH_DONE);
    x->face->head((void *)x, x->context, &parsed);
}

void x_read(struct exchange *x, const char *body, bool last)
{
    assert_true(x->is_running && !x->forgotten);
    /* The bytes of one read are gone behind its batch. */
    struct lb_str bytes = lb_cstr(body);
    char *read = malloc(bytes.size + 1);
    assert_non_null(read);
    memcpy(read, body, bytes.size);
    if (bytes.size > 0)
        x->face->body((void *)x, x->context, lb_str(read, bytes.size));
    if (!x->forgotten)
        x->face->batch((void *)x, x->context, last);
    memset(read, '!', bytes.size);
    free(read);
    if (last && !x->forgotten)
        x_end(x, LLMGR_OK, "");
    else if (last)
        x->is_running = false;
}

void x_end(struct exchange *x, llmgr_status status, const char *text)
{
    assert_true(x->is_running && !x->forgotten);
    if (status != LLMGR_OK)
        lb_fail(&x->why, status, "%s", text);
    tell_end(x);
}

/* ---- The journal ----------------------------------------------------------------------------- */

bool __wrap_ll_journal_admit(struct ll_journal *journal);
bool __real_ll_journal_admit(struct ll_journal *journal);
void __wrap_ll_journal_release(struct ll_journal *journal);
void __real_ll_journal_release(struct ll_journal *journal);
llmgr_status __wrap_ll_journal_append(struct ll_journal *journal, const struct ll_usage *usage,
                                      struct llmgr_error *err);
llmgr_status __real_ll_journal_append(struct ll_journal *journal, const struct ll_usage *usage,
                                      struct llmgr_error *err);

bool __wrap_ll_journal_admit(struct ll_journal *journal)
{
    bool room = __real_ll_journal_admit(journal);

    now->asked += room;
    return room;
}

void __wrap_ll_journal_release(struct ll_journal *journal)
{
    now->given_back++;
    __real_ll_journal_release(journal);
}

llmgr_status __wrap_ll_journal_append(struct ll_journal *journal, const struct ll_usage *usage,
                                      struct llmgr_error *err)
{
    now->recorded++;
    if (now->on_record != NULL)
        now->on_record(now->on_record_context);
    return __real_ll_journal_append(journal, usage, err);
}

/* ---- The gateway ----------------------------------------------------------------------------- */

static _Thread_local unsigned fails_nth; /* the ledger's threads allocate as well */

bool road_fail_nth(unsigned n)
{
    const bool has_failed = fails_nth == 0;

    fails_nth = n;
    return has_failed;
}

static bool is_planted(void)
{
    return fails_nth > 0 && --fails_nth == 0;
}

static void *count_alloc(size_t size, void *context)
{
    (void)context;
    if (is_planted())
        return NULL;
    atomic_fetch_add(&living, 1);
    return malloc(size);
}

static void *count_realloc(void *p, size_t size, void *context)
{
    (void)context;
    if (is_planted())
        return NULL;
    if (p == NULL)
        atomic_fetch_add(&living, 1);
    return realloc(p, size);
}

static void count_free(void *p, void *context)
{
    (void)context;
    if (p != NULL)
        atomic_fetch_sub(&living, 1);
    free(p);
}

static const struct llmgr_allocator COUNTING = {count_alloc, count_realloc, count_free, NULL};

static void sync_platforms(struct road *road)
{
    static const char FILE_TEXT[] = "platforms:\n"
                                    "  House:\n"
                                    "    base_url: https://site.example.com/v1\n"
                                    "    api_key: sk-site-0123456789\n"
                                    "    models:\n"
                                    "      Small: small-1\n"
                                    "      Large: {model_name: large-1, extra_body: {top_k: 3}}\n";
    const struct llmgr_config_source source = {.size = sizeof source,
                                               .text = FILE_TEXT,
                                               .text_size = sizeof FILE_TEXT - 1,
                                               .allocator = &COUNTING};
    struct llmgr_config *config = NULL;

    if (llmgr_config_read(&source, &config, &road->err) != LLMGR_OK ||
        llmgr_sync(road->manager, config, false, NULL, &road->err) != LLMGR_OK)
        fail_msg("%s", road->err.message);
    llmgr_config_free(config);
}

static void open_manager(struct road *road)
{
    struct llmgr_options options;
    char key_file[300];

    snprintf(key_file, sizeof key_file, "%s/master.key", road->db.dir);
    llmgr_options_init(&options);
    options.database = road->db.url;
    options.master_key_file = key_file;
    options.master_key_create = true;
    options.allocator = &COUNTING;
    options.log = db_log;
    options.log_context = &road->db;
    options.log_level = LLMGR_LOG_DEBUG;
    if (llmgr_open(&options, &road->manager, &road->err) != LLMGR_OK)
        fail_msg("%s", road->err.message);
    sync_platforms(road);
}

static void nobody_waits(void *context)
{
    (void)context;
}

static void fill_shared(struct road *road)
{
    const struct lb_host *host = &road->manager->host;
    char dir[300];

    snprintf(dir, sizeof dir, "%s/journal", road->db.dir);
    const struct ll_ledger_options ledger = {.journal_dir = dir, .segment_size = 64 << 10};
    road->shared = (struct lg_shared){
        .manager = road->manager,
        .gauge = lb_gauge_new(host),
        .addresses = lb_gauge_new(host),
        .bodies = ln_share_new(host, road->settings.bodies_max),
        .looks = ln_share_new(host, 2),
        .hop = LB_STR("0123456789abcdef0123456789abcdef"),
        .drain = &road->drain,
        .worker_count = 1,
        .worker_ended = nobody_waits,
    };
    if (ll_ledger_open(road->manager->manager, &ledger, &road->shared.ledger, &road->err) !=
            LLMGR_OK ||
        lb_log_file_new(host, 1, NULL, &road->shared.log, &road->err) != LLMGR_OK)
        fail_msg("%s", road->err.message);
}

static void open_place(struct road *road)
{
    char address[330];
    int fd = -1;

    snprintf(road->place, sizeof road->place, "%s/socket", road->db.dir);
    snprintf(address, sizeof address, "unix:%s", road->place);
    const struct ln_listen_options options = {.address = address};
    if (ln_listen_open(&options, &fd, &road->err) != LLMGR_OK ||
        lg_worker_listen(road->worker, fd, false, &road->err) != LLMGR_OK)
        fail_msg("%s", road->err.message);
}

static void too_long(void *context)
{
    (void)context;
    fail_msg("%s", "what the test waits for does not come");
}

void road_setup_with(struct road *road, void (*change)(struct lg_settings *settings))
{
    memset(road, 0, sizeof *road);
    now = road;
    db_setup(&road->db);
    road->settings = (struct lg_settings){
        .body_max = LIMIT,
        .bodies_max = 64 * LIMIT,
        .upload_max = LIMIT,
        .head_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .keepalive_timeout_ms = 60000,
        .write_timeout_ms = 60000,
        .freshness_wait_ms = 60000,
    };
    if (change != NULL)
        change(&road->settings);
    open_manager(road);
    fill_shared(road);
    if (lg_worker_new(&road->shared, 0, &road->settings, &road->worker, &road->err) != LLMGR_OK)
        fail_msg("%s", road->err.message);
    road->shared.workers[0] = road->worker;
    open_place(road);
    ln_timer_start(road->worker->loop, &road->watchdog, WATCHDOG_MS, too_long, NULL);
}

void road_setup(struct road *road)
{
    road_setup_with(road, NULL);
}

void road_teardown(struct road *road)
{
    const struct lb_host *host = &road->manager->host;

    road_turn(road);
    ln_timer_stop(&road->watchdog);
    lg_worker_free(road->worker);
    for (unsigned i = 0; i < road->count; i++)
        assert_true(road->exchanges[i].forgotten || !road->exchanges[i].is_running);
    assert_int_equal(road->asked, road->recorded + road->given_back);
    assert_int_equal(ll_ledger_close(road->shared.ledger, 60000, &road->err), LLMGR_OK);
    lb_log_file_free(road->shared.log);
    lb_free(host, road->shared.gauge);
    lb_free(host, road->shared.addresses);
    ln_share_free(road->shared.bodies);
    ln_share_free(road->shared.looks);
    llmgr_close(road->manager);
    assert_int_equal(atomic_load(&living), 0);
    char dir[300];
    snprintf(dir, sizeof dir, "rm -rf '%s/journal'", road->db.dir);
    assert_int_equal(system(dir), 0);
    db_teardown(&road->db);
}

void road_turn(struct road *road)
{
    for (int i = 0; i < TURNS; i++)
        ln_loop_turn(road->worker->loop, false);
}

/* ---- Callers --------------------------------------------------------------------------------- */

struct caller *road_call(struct road *road)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    struct caller *caller = calloc(1, sizeof *caller);

    assert_non_null(caller);
    caller->road = road;
    caller->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(strlen(road->place) < sizeof place.sun_path);
    memcpy(place.sun_path, road->place, strlen(road->place));
    assert_int_equal(connect(caller->fd, (struct sockaddr *)&place, sizeof place), 0);
    assert_int_equal(fcntl(caller->fd, F_SETFL, O_NONBLOCK), 0);
    road_turn(road);
    return caller;
}

void road_hang_up(struct caller *caller)
{
    struct road *road = caller->road;

    close(caller->fd);
    free(caller);
    road_turn(road);
}

void road_say(struct caller *caller, const char *text)
{
    struct road *road = caller->road;

    assert_int_equal(lm_poll(road->manager->manager, &road->err), LLMGR_OK);
    for (size_t left = strlen(text); left > 0;) {
        ssize_t wrote = write(caller->fd, text, left);
        assert_true(wrote > 0 || errno == EAGAIN);
        text += wrote > 0 ? wrote : 0;
        left -= wrote > 0 ? (size_t)wrote : 0;
        road_turn(road);
    }
}

struct lb_str road_heard(struct caller *caller)
{
    ssize_t got = 0;

    do {
        assert_true(caller->size < ROAD_HEARD - 1);
        got = read(caller->fd, caller->heard + caller->size, ROAD_HEARD - 1 - caller->size);
        caller->size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    caller->ended = got == 0 || (got < 0 && errno != EAGAIN);
    caller->heard[caller->size] = '\0';
    return lb_str(caller->heard, caller->size);
}

bool road_has(struct caller *caller, const char *text)
{
    (void)road_heard(caller);
    return strstr(caller->heard, text) != NULL;
}

void road_hear(struct caller *caller, const char *text)
{
    while (!road_has(caller, text)) {
        if (caller->ended)
            fail_msg("the gateway closed before \"%s\" came; it said: %s", text, caller->heard);
        ln_loop_turn(caller->road->worker->loop, true);
    }
}

void road_forget_heard(struct caller *caller)
{
    (void)road_heard(caller);
    caller->size = 0;
    caller->heard[0] = '\0';
}

void road_warm(struct road *road)
{
    struct caller *caller = road_call(road);

    road_say(caller, ROAD_CHAT);
    x_end(road_exchange(road, 1), LLMGR_ERR_TIMEOUT, "warm");
    road_hear(caller, "warm");
    road_hang_up(caller);
}

/* ---- Looking --------------------------------------------------------------------------------- */

struct exchange *road_exchange(struct road *road, unsigned n)
{
    while (road->count < n)
        ln_loop_turn(road->worker->loop, true);
    return &road->exchanges[n - 1];
}

struct lg_request *road_request(struct road *road, unsigned n)
{
    struct lb_list *at = road->worker->clients.next;

    while (--n > 0)
        at = at->next;
    assert_true(at != &road->worker->clients);
    return LB_CONTAINER(at, struct lg_client, node)->request;
}

int64_t road_rows(struct road *road, const char *where)
{
    char sql[512];

    assert_int_equal(ll_ledger_flush(road->shared.ledger, 60000, &road->err), LLMGR_OK);
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM llm_usage WHERE %s", where);
    return db_number(&road->db, sql);
}

uint64_t road_metric(const struct road *road, enum lg_metric metric)
{
    return atomic_load(&road->worker->counters[metric]);
}
