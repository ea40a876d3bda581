/* SPDX-License-Identifier: MIT */
/*
 * One writer for all documents: it goes along the rows of a schema and takes each member from its
 * place. schema.c has seen to it that what stands there is of the type that is read here.
 */
#include "documents/write.h"

#include <string.h>

static int64_t number_at(const char *place)
{
    int64_t number;

    memcpy(&number, place, sizeof number);
    return number;
}

static size_t size_at(const char *place)
{
    size_t size;

    memcpy(&size, place, sizeof size);
    return size;
}

static const void *pointer_at(const char *place)
{
    const void *pointer;

    memcpy(&pointer, place, sizeof pointer);
    return pointer;
}

static unsigned chosen_at(const char *place)
{
    unsigned number;

    _Static_assert(sizeof(llmgr_mode) == sizeof number, "enumerations are ints");
    memcpy(&number, place, sizeof number);
    return number;
}

static json_t *integer_or_null(int64_t number, bool known)
{
    return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *chosen(const char *choices, unsigned number)
{
    size_t size;
    const char *name = lx_choice(choices, number, &size);

    return name != NULL ? json_stringn(name, size) : NULL;
}

/* Units without a rate are left out. */
static json_t *rates_value(const char *place)
{
    char text[LLMGR_RATE_TEXT_SIZE];
    json_t *object = json_object();
    bool good = object != NULL;

    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT && good; i++) {
        const llmgr_price_unit unit = (llmgr_price_unit)i;
        const int64_t rate = number_at(place + i * sizeof rate);
        if (rate == LLMGR_UNSET)
            continue;
        llmgr_rate_format(rate, llmgr_price_unit_per(unit), text);
        good = json_object_set_new(object, llmgr_price_unit_name(unit), json_string(text)) == 0;
    }
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *text_value(const struct lx_member *member, const char *text)
{
    switch (member->type) {
    case LX_TYPE_TEXT_OR_NULL:
    case LX_TYPE_CHOICE_OR_NULL:
        return text_or_null(text);
    case LX_TYPE_OBJECT_OR_NULL:
        return text != NULL ? json_loads(text, 0, NULL) : json_null();
    case LX_TYPE_ANY:
        return json_loads(text, JSON_DECODE_ANY, NULL);
    default:
        return json_string(text);
    }
}

static json_t *value(const struct lx_member *member, const char *object)
{
    const char *place = object + member->place;

    switch (member->type) {
    case LX_TYPE_ID:
    case LX_TYPE_COUNT:
        return integer_or_null(number_at(place), true);
    case LX_TYPE_COUNT_OR_NULL:
        return integer_or_null(number_at(place), number_at(place) >= 0);
    case LX_TYPE_NONZERO_OR_NULL:
        return integer_or_null(number_at(place), number_at(place) != 0);
    case LX_TYPE_FLAG:
        return json_boolean(*(const bool *)place);
    case LX_TYPE_KIND:
        return chosen(member->choices, chosen_at(place));
    case LX_TYPE_STATUS:
        return json_string(llmgr_status_name((llmgr_status)chosen_at(place)));
    case LX_TYPE_RATES:
        return rates_value(place);
    case LX_TYPE_ONE:
        return lx_write(member->other, place);
    case LX_TYPE_ONE_OR_NULL:
        return pointer_at(place) != NULL ? lx_write(member->other, pointer_at(place)) : json_null();
    case LX_TYPE_LIST:
        return lx_write_list(member->other, NULL, pointer_at(place),
                             size_at(object + member->count_place));
    case LX_TYPE_MADE: /* a reference of its own: the structure's is dropped at the end */
        return json_incref((json_t *)(uintptr_t)pointer_at(place));
    default:
        return text_value(member, pointer_at(place));
    }
}

/* The references that the structure held are ours. */
static void drop_made(const struct lx_schema *schema, const char *object)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->members[i].type == LX_TYPE_MADE)
            json_decref((json_t *)(uintptr_t)pointer_at(object + schema->members[i].place));
    }
}

json_t *lx_write(enum lx_schema_id id, const void *object)
{
    const struct lx_schema schema = lx_schema(id);
    json_t *document = json_object();
    bool good = document != NULL;

    for (size_t i = 0; i < schema.count && good; i++) {
        /* A NULL value is refused: the names are ours, so there is no other reason to fail. */
        json_t *member = value(&schema.members[i], object);
        good = json_object_set_new(document, schema.members[i].name, member) == 0;
    }
    drop_made(&schema, object);
    if (good)
        return document;
    json_decref(document);
    return NULL;
}

json_t *lx_write_list(enum lx_schema_id id, json_t *list, const void *items, size_t count)
{
    const size_t size = lx_schema(id).size;
    const char *item = items;

    if (list == NULL)
        list = json_array();
    for (size_t i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, lx_write(id, item + i * size)) == 0)
            continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}
