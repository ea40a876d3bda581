/* SPDX-License-Identifier: MIT */
/*
 * The rows of schemas.def as two arrays. Where a member lies is taken from the structure it is of,
 * together with a look at its C type: a row that does not fit is an array of -1 elements.
 */
#include "documents/schema.h"

#include <string.h>

#include "documents/write.h"

/* The structure of each document, and of each member what stands at its place. */
#define LX_DOCUMENT(Name, name, structure, text) typedef structure lx_of_##Name;
#include "documents/schemas.def"
#define AT(Schema, place) (((lx_of_##Schema *)NULL)->place)

#define IS(value, ...) _Generic((value), __VA_ARGS__, default : 0)
#define FITS_NUMBER(value) IS(value, int64_t : 1)
#define FITS_FLAG(value) IS(value, bool : 1)
#define FITS_TEXT(value) IS(value, const char * : 1)
#define FITS_CHOSEN(value) IS(value, int : 1, unsigned : 1)
#define FITS_ID FITS_NUMBER
#define FITS_COUNT FITS_NUMBER
#define FITS_COUNT_OR_NULL FITS_NUMBER
#define FITS_NONZERO_OR_NULL FITS_NUMBER
#define FITS_TEXT_OR_NULL FITS_TEXT
#define FITS_TOKEN FITS_TEXT
#define FITS_OBJECT_OR_NULL FITS_TEXT
#define FITS_ANY FITS_TEXT
#define FITS_CHOICE FITS_TEXT
#define FITS_CHOICE_OR_NULL FITS_TEXT
#define FITS_KIND FITS_CHOSEN
#define FITS_STATUS(value) IS(value, llmgr_status : 1)
#define FITS_RATES(value) IS(&(value), int64_t(*)[LLMGR_PRICE_UNIT_COUNT] : 1)

/* 0, if it compiles. */
#define MUST(holds) (sizeof(char[(holds) ? 1 : -1]) - 1)
#define SAME(a, b) __builtin_types_compatible_p(__typeof__(a), b)
#define PLACE_OF(Schema, place, holds) (offsetof(lx_of_##Schema, place) + MUST(holds))

/* The members in the order of the table, and of each schema the first of them. */
enum {
#define LX_DOCUMENT(Name, ...) FIRST_##Name, BEFORE_##Name = FIRST_##Name - 1,
#define LX_FORM LX_DOCUMENT
#define LX_PLACE(Schema, name, ...) MEMBER_##Schema##_##name,
#define LX_CHOICE LX_PLACE
#define LX_ONE LX_PLACE
#define LX_ONE_OR_NULL LX_PLACE
#define LX_LIST LX_PLACE
#define LX_MADE LX_PLACE
#define LX_MEMBER LX_PLACE
#define LX_ITEMS LX_PLACE
#include "documents/schemas.def"
    MEMBER_COUNT
};

static const struct row {
    const char *name;
    const char *text;
    bool shown;
    size_t size;
    size_t first; /* of its members; the last is before the first of the next schema */
} SCHEMAS[] = {
#define LX_DOCUMENT(Name, name, structure, text)                                                   \
    {#Name, text, true, sizeof(structure), FIRST_##Name},
#define LX_INNER(Name, name, structure, text) {#Name, text, false, sizeof(structure), FIRST_##Name},
#define LX_FORM(Name, text) {#Name, text, true, 0, FIRST_##Name},
#include "documents/schemas.def"
    {NULL, NULL, false, 0, MEMBER_COUNT},
};

static const struct lx_member MEMBERS[MEMBER_COUNT] = {
#define REQUIRED_IS true
#define OPTIONAL_IS false
#define LX_PLACE(Schema, name_, type_, place_, text_)                                              \
    LX_CHOICE(Schema, name_, type_, place_, NULL, text_)
#define LX_CHOICE(Schema, name_, type_, place_, choices_, text_)                                   \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_##type_,                                                                      \
     .choices = choices_,                                                                          \
     .place = PLACE_OF(Schema, place_, FITS_##type_(AT(Schema, place_))),                          \
     .required = true,                                                                             \
     .text = text_},
#define LX_ONE(Schema, name_, place_, Other, text_)                                                \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_ONE,                                                                          \
     .other = LX_SCHEMA_##Other,                                                                   \
     .place = PLACE_OF(Schema, place_, SAME(AT(Schema, place_), lx_of_##Other)),                   \
     .required = true,                                                                             \
     .text = text_},
#define LX_ONE_OR_NULL(Schema, name_, place_, Other, text_)                                        \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_ONE_OR_NULL,                                                                  \
     .other = LX_SCHEMA_##Other,                                                                   \
     .place = PLACE_OF(Schema, place_, SAME(*AT(Schema, place_), lx_of_##Other)),                  \
     .required = true,                                                                             \
     .text = text_},
#define LX_LIST(Schema, name_, place_, count_, Other, text_)                                       \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_LIST,                                                                         \
     .other = LX_SCHEMA_##Other,                                                                   \
     .place = PLACE_OF(Schema, place_, SAME(*AT(Schema, place_), lx_of_##Other)),                  \
     .count_place = PLACE_OF(Schema, count_, SAME(AT(Schema, count_), size_t)),                    \
     .required = true,                                                                             \
     .text = text_},
#define LX_MADE(Schema, name_, place_, Other, text_)                                               \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_MADE,                                                                         \
     .other = LX_SCHEMA_##Other,                                                                   \
     .place = PLACE_OF(Schema, place_, SAME(AT(Schema, place_), json_t *)),                        \
     .required = true,                                                                             \
     .text = text_},
#define LX_MEMBER(Schema, name_, type_, choices_, max_, presence_, text_)                          \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_##type_,                                                                      \
     .choices = choices_,                                                                          \
     .max = max_,                                                                                  \
     .required = presence_##_IS,                                                                   \
     .text = text_},
#define LX_ITEMS(Schema, name_, Other, max_, presence_, text_)                                     \
    {.owner = LX_SCHEMA_##Schema,                                                                  \
     .name = #name_,                                                                               \
     .type = LX_TYPE_LIST,                                                                         \
     .other = LX_SCHEMA_##Other,                                                                   \
     .max = max_,                                                                                  \
     .required = presence_##_IS,                                                                   \
     .text = text_},
#include "documents/schemas.def"
};

struct lx_schema lx_schema(enum lx_schema_id id)
{
    if (id == LX_SCHEMA_NONE || id >= LX_SCHEMA_COUNT)
        return (struct lx_schema){0};
    const struct row *row = &SCHEMAS[id - 1];
    return (struct lx_schema){
        .name = row->name,
        .text = row->text,
        .shown = row->shown,
        .size = row->size,
        .members = &MEMBERS[row->first],
        .count = row[1].first - row->first,
    };
}

const char *lx_choice(const char *choices, unsigned i, size_t *size)
{
    while (choices != NULL) {
        *size = strcspn(choices, "|");
        if (i == 0)
            return choices;
        i--;
        choices = choices[*size] == '|' ? choices + *size + 1 : NULL;
    }
    return NULL;
}

int lx_choice_find(const char *choices, const char *text)
{
    const char *choice;
    size_t size;

    for (unsigned i = 0; (choice = lx_choice(choices, i, &size)) != NULL; i++) {
        if (size == strlen(text) && memcmp(choice, text, size) == 0)
            return (int)i;
    }
    return -1;
}
