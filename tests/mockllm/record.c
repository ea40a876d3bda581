/* SPDX-License-Identifier: MIT */
/*
 * What was received, as one JSON object per request: in memory up to a cap (the oldest go first)
 * and, if asked for, as lines of a file.
 */
#include "mock.h"

enum {
    KEPT_MAX = 64 * 1024 * 1024, /* bytes of all records in memory */
    LINE_MAX_SIZE = 8 * 1024 * 1024,
};

struct mock_recorder {
    const struct lb_host *host;
    FILE *file;
    struct lb_buf kept; /* lines */
    struct lb_buf line;
    uint64_t number;
};

struct mock_recorder *mock_recorder_new(const struct lb_host *host, const char *file)
{
    struct mock_recorder *made = lb_calloc(host, 1, sizeof *made);

    if (made == NULL)
        return NULL;
    made->host = host;
    lb_buf_init(&made->kept, host, KEPT_MAX);
    lb_buf_init(&made->line, host, LINE_MAX_SIZE);
    if (file != NULL && (made->file = fopen(file, "a")) == NULL) {
        mock_recorder_free(made);
        return NULL;
    }
    return made;
}

void mock_recorder_free(struct mock_recorder *recorder)
{
    if (recorder == NULL)
        return;
    if (recorder->file != NULL)
        fclose(recorder->file);
    lb_buf_free(&recorder->kept);
    lb_buf_free(&recorder->line);
    lb_free(recorder->host, recorder);
}

/* A member whose bytes need not be UTF-8: then hexadecimal, and the name says so. */
static void write_bytes(struct lb_buf *out, const char *name, struct lb_str bytes)
{
    bool text = bytes.size == 0 || lb_utf8_valid(bytes);

    lb_buf_addf(out, ",\"%s%s\":", name, text ? "" : "_hex");
    if (text) {
        lj_json_write_str(bytes, out);
        return;
    }
    lb_buf_add_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i++)
        lb_buf_addf(out, "%02x", (unsigned char)bytes.p[i]);
    lb_buf_add_byte(out, '"');
}

static void write_headers(struct lb_buf *out, const struct lh_head *head)
{
    lb_buf_add_c(out, ",\"headers\":{");
    for (size_t i = 0; i < head->field_count; i++) {
        const struct lh_field *field = &head->fields[i];
        char name[256];
        size_t size = field->name.size < sizeof name ? field->name.size : sizeof name;
        for (size_t at = 0; at < size; at++)
            name[at] = lb_ascii_lower(field->name.p[at]);
        if (i > 0)
            lb_buf_add_byte(out, ',');
        lj_json_write_str(lb_str(name, size), out);
        lb_buf_add_byte(out, ':');
        lj_json_write_str(lb_utf8_valid(field->value) ? field->value : LB_STR("?"), out);
    }
    lb_buf_add_byte(out, '}');
}

void mock_record(struct mock_recorder *recorder, const struct mock_request *request,
                 uint64_t connection, bool dropped)
{
    struct lb_buf *line = &recorder->line;
    const struct lh_head *head = request->head;

    lb_buf_reset(line);
    lb_buf_addf(line, "{\"n\":%llu,\"connection\":%llu,\"dropped\":%s,\"method\":",
                (unsigned long long)++recorder->number, (unsigned long long)connection,
                dropped ? "true" : "false");
    lj_json_write_str(head->method_name, line);
    lb_buf_add_c(line, ",\"path\":");
    lj_json_write_str(head->target, line);
    write_headers(line, head);
    write_bytes(line, "body", request->body);
    lb_buf_add_c(line, "}\n");
    if (line->failed != LLMGR_OK)
        return;
    if (recorder->file != NULL) {
        fwrite(line->data, 1, line->size, recorder->file);
        fflush(recorder->file);
    }
    if (recorder->kept.size > KEPT_MAX - line->size) {
        /* Half of them at once: dropping one by one would move all the bytes for each. */
        struct lb_str kept = lb_buf_str(&recorder->kept);
        size_t half = kept.size / 2;
        half += lb_str_find(lb_str_sub(kept, half, kept.size), '\n') + 1;
        lb_buf_shift(&recorder->kept, half < kept.size ? half : kept.size);
    }
    lb_buf_add_str(&recorder->kept, lb_buf_str(line));
}

void mock_recorded(struct mock_recorder *recorder, struct lb_buf *array)
{
    size_t start = array->size + 1;

    lb_buf_add_byte(array, '[');
    lb_buf_add_str(array, lb_buf_str(&recorder->kept));
    for (size_t i = start; i < array->size; i++) {
        if (array->data[i] == '\n') /* within a record it would be escaped */
            array->data[i] = i + 1 < array->size ? ',' : ' ';
    }
    lb_buf_add_byte(array, ']');
}

void mock_forget(struct mock_recorder *recorder)
{
    lb_buf_reset(&recorder->kept);
    recorder->number = 0;
}
