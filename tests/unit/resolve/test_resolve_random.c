/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of changes, each followed by a resolve that is compared with a small model of
 * the rules; explain is asked first and must foretell it. The seed is printed when a run fails and
 * can be given: LLMGR_TEST_SEED=N.
 */
#include <time.h>

#include "../manager/site.h"

enum { SYS = 3, USERS = 3, OWNED = 2, PLATFORMS = SYS + USERS * OWNED, MODELS = 3, SLOTS = 2 };
enum { STEPS = 700 };

static const char *const user_names[USERS] = {LLMGR_SYSTEM_USER, "ann", "bob"};
static const char *const slot_names[SLOTS] = {"main", "fast"};

/* What should be in the database. Platform i < SYS is a system one, in order. */
static struct {
    struct {
        int64_t id;
        int owner; /* -1: system */
        char url[40];
        bool key;
        struct {
            int64_t id; /* 0: none */
        } models[MODELS];
    } platforms[PLATFORMS];
    bool own_key[USERS][SYS];
    struct {
        int64_t platform, model; /* 0: nothing stored */
    } picks[USERS][SLOTS];
} fixture;

static struct site h;
static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

/* ---- The model of the rules ---- */

struct answer {
    llmgr_status status;
    int64_t platform, model;
    enum lm_payer payer;
    bool repaired, fell_back, is_default;
};

static enum lm_payer payer_of(int user, int platform)
{
    if (platform >= SYS)
        return fixture.platforms[platform].key ? LM_PAYER_USER : LM_PAYER_NONE;
    if (fixture.own_key[user][platform])
        return LM_PAYER_USER;
    bool allowed = h.options.auto_key || user == 0;
    return fixture.platforms[platform].key && allowed ? LM_PAYER_SYSTEM : LM_PAYER_NONE;
}

static void give(struct answer *answer, int user, int platform, int64_t model)
{
    answer->platform = fixture.platforms[platform].id;
    answer->model = model;
    answer->payer = payer_of(user, platform);
    answer->status = answer->payer == LM_PAYER_NONE ? LLMGR_ERR_NO_KEY : LLMGR_OK;
}

static void give_first(struct answer *answer, int user)
{
    answer->status = LLMGR_ERR_NOT_FOUND;
    for (int p = 0; p < SYS; p++) {
        int64_t first = 0;
        for (int m = 0; m < MODELS && first == 0; m++)
            first = fixture.platforms[p].models[m].id;
        /* Models stand by id: the one made first. */
        for (int m = 0; m < MODELS; m++) {
            int64_t id = fixture.platforms[p].models[m].id;
            first = id != 0 && id < first ? id : first;
        }
        if (first == 0 ||
            (answer->status != LLMGR_ERR_NOT_FOUND && payer_of(user, p) == LM_PAYER_NONE))
            continue;
        give(answer, user, p, first);
        if (answer->status == LLMGR_OK)
            return;
    }
}

/* The platform of a stored choice, or -1 if it is gone. */
static int target_of(int user, int slot)
{
    for (int p = 0; p < PLATFORMS; p++) {
        if (fixture.platforms[p].id != fixture.picks[user][slot].platform ||
            (p >= SYS && fixture.platforms[p].owner != user))
            continue;
        for (int m = 0; m < MODELS; m++) {
            if (fixture.platforms[p].models[m].id == fixture.picks[user][slot].model)
                return p;
        }
    }
    return -1;
}

static struct answer expect(int asked, int slot)
{
    struct answer answer = {.is_default = true};
    int user = h.options.mode == LLMGR_MODE_SINGLE ? 0 : asked;
    int order[2] = {slot, 0};

    for (int i = 0; i < (slot != 0 ? 2 : 1); i++) {
        int at = order[i];
        if (fixture.picks[user][at].model == 0)
            continue;
        answer.is_default = false;
        int platform = target_of(user, at);
        if (platform < 0) {
            give_first(&answer, user);
            answer.repaired = answer.status != LLMGR_ERR_NOT_FOUND;
            if (answer.repaired) {
                fixture.picks[user][at].platform = answer.platform;
                fixture.picks[user][at].model = answer.model;
            }
            return answer;
        }
        if (platform < SYS || h.options.mode == LLMGR_MODE_CUSTOM) {
            give(&answer, user, platform, fixture.picks[user][at].model);
            return answer;
        }
        answer.fell_back = true;
    }
    give_first(&answer, user);
    return answer;
}

/* ---- Steps ---- */

static const char *owner_of(int platform)
{
    int owner = fixture.platforms[platform].owner;

    return owner < 0 ? NULL : user_names[owner];
}

static void toggle_key(int platform)
{
    const char *owner = owner_of(platform);
    const char *name = owner != NULL ? owner : LLMGR_SYSTEM_USER;
    int64_t id = fixture.platforms[platform].id;
    struct act change = {.statement = LS_PLATFORM_SET_KEY,
                         .values = {ls_int(id), ls_cstr(name), ls_null()},
                         .count = 3,
                         .key_at = 2,
                         .place = {LK_KEY_OF_PLATFORM, lb_cstr(name), id,
                                   origin_of(&h, fixture.platforms[platform].url)}};

    fixture.platforms[platform].key = !fixture.platforms[platform].key;
    change.key = fixture.platforms[platform].key ? "sk-platform" : NULL;
    act(&h, owner, change);
}

static void toggle_own_key(int user, int platform)
{
    fixture.own_key[user][platform] = !fixture.own_key[user][platform];
    own_key(&h, user_names[user], fixture.platforms[platform].id, fixture.platforms[platform].url,
            fixture.own_key[user][platform] ? user_names[user] : NULL);
}

static void toggle_model(int platform, int model)
{
    int64_t *id = &fixture.platforms[platform].models[model].id;
    char name[32];

    snprintf(name, sizeof name, "m%d-%d", platform, model);
    if (*id != 0) {
        drop_model(&h, owner_of(platform), *id);
        *id = 0;
    } else {
        *id = add_model(&h, owner_of(platform), fixture.platforms[platform].id, name, name);
    }
}

/* Anything may be stored: a foreign platform, a model of another one, nothing that exists. */
static void pick_any(int user, int slot)
{
    int platform = (int)draw(PLATFORMS);
    int model_of = draw(5) == 0 ? (int)draw(PLATFORMS) : platform;
    int64_t model = fixture.platforms[model_of].models[draw(MODELS)].id;

    if (model == 0)
        model = 999999;
    fixture.picks[user][slot].platform = fixture.platforms[platform].id;
    fixture.picks[user][slot].model = model;
    pick(&h, user_names[user], slot_names[slot], fixture.platforms[platform].id, model);
}

static void step(void)
{
    switch (draw(12)) {
    case 0:
    case 1:
        toggle_key((int)draw(PLATFORMS));
        break;
    case 2:
    case 3:
        toggle_own_key((int)draw(USERS), (int)draw(SYS));
        break;
    case 4:
    case 5:
    case 6:
        toggle_model((int)draw(PLATFORMS), (int)draw(MODELS));
        break;
    case 7:
        if (draw(4) == 0)
            site_mode(&h, (llmgr_mode)draw(3));
        break;
    case 8:
        if (draw(4) == 0)
            site_auto_key(&h, !h.options.auto_key);
        break;
    default:
        pick_any((int)draw(USERS), (int)draw(SLOTS));
    }
}

static void compare(int at, int user, int slot)
{
    struct lr_request request = {.user = lb_cstr(user_names[user]),
                                 .slot = lb_cstr(slot_names[slot])};
    struct llmgr_explanation told = {0};

    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    struct answer want = expect(user, slot);
    llmgr_status status = ask(&h, user_names[user], slot_names[slot], NULL);
    int64_t foretold = 0;
    for (size_t i = 0; i < told.count; i++)
        foretold = told.items[i].chosen ? told.items[i].model_id : foretold;
    bool same = status == want.status && told.status == want.status &&
                foretold == (status == LLMGR_OK ? want.model : 0);
    if (status != LLMGR_ERR_NOT_FOUND)
        same = same && h.target.platform_id == want.platform && h.target.model_id == want.model &&
               h.target.payer == want.payer && h.target.repaired == want.repaired &&
               h.target.fell_back == want.fell_back && h.target.is_default == want.is_default;
    if (!same)
        fail_msg("step %d, user %s, slot %s: %s, model %lld, wanted %s, model %lld", at,
                 user_names[user], slot_names[slot], llmgr_status_name(status),
                 (long long)h.target.model_id, llmgr_status_name(want.status),
                 (long long)want.model);
    lb_arena_reset(&h.arena);
}

static void resolve_keeps_the_rules_after_any_sequence_of_changes(void **state)
{
    const char *given = getenv("LLMGR_TEST_SEED");
    struct timespec now;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now.tv_nsec * 2654435761U + 1;
    print_message("# LLMGR_TEST_SEED=%llu\n", (unsigned long long)seed);
    site_setup(&h);
    for (int p = 0; p < PLATFORMS; p++) {
        char name[16];
        snprintf(name, sizeof name, "P%d", p);
        fixture.platforms[p].owner = p < SYS ? -1 : (p - SYS) / OWNED;
        snprintf(fixture.platforms[p].url, sizeof fixture.platforms[p].url,
                 "https://p%d.example/v1", p);
        fixture.platforms[p].id =
            p < SYS ? sys_platform(&h, name, fixture.platforms[p].url, p, NULL)
                    : own_platform(&h, owner_of(p), name, fixture.platforms[p].url, NULL);
    }
    for (int i = 0; i < STEPS; i++) {
        step();
        compare(i, (int)draw(USERS), (int)draw(SLOTS));
    }
    site_teardown(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolve_keeps_the_rules_after_any_sequence_of_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
