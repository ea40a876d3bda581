/* SPDX-License-Identifier: MIT */
/*
 * Asked in this order; the first that says something known is believed:
 *
 *   WORDS          a text: Together's and LM Studio's `type`, SiliconFlow's `sub_type`, LiteLLM's
 *                  `mode`, Xinference's and Dify's `model_type`, GitHub's and Cloudflare's `task`,
 *                  Hugging Face's `pipeline_tag`, Copilot's `capabilities.type`
 *   LISTS          of texts: Cohere's `endpoints`, New API's `supported_endpoint_types`, GPUStack's
 *                  `categories`, Ollama's `capabilities`, Google's `supportedGenerationMethods`
 *   CAPABILITIES   members of `capabilities` that are true: Mistral, Azure; Fireworks at the top
 *   modalities     what comes out, as OpenRouter says it, and if that is text, what goes in
 *
 * A word that means two things at two platforms is in no table: `language` chats at Vercel and
 * completes at Together, `audio` speaks or listens, and New API says `openai` of everything.
 */
#include "dialect/model_kind.h"

#include "base/str.h"
#include "json/write.h"

enum { WORD_MAX = 40 }; /* bytes; the longest of WORDS is shorter */

static const struct {
    const char *word; /* '-' stands for '_' and ' ' too */
    llmgr_model_kind kind;
} WORDS[] = {
    {"chat", LLMGR_MODEL_CHAT},
    {"llm", LLMGR_MODEL_CHAT},
    {"vlm", LLMGR_MODEL_CHAT},
    {"responses", LLMGR_MODEL_CHAT},
    {"chat-completion", LLMGR_MODEL_CHAT},
    {"chat-completions", LLMGR_MODEL_CHAT},
    {"chat/completions", LLMGR_MODEL_CHAT},
    {"text-generation", LLMGR_MODEL_CHAT},
    {"image-text-to-text", LLMGR_MODEL_CHAT},
    {"completion", LLMGR_MODEL_COMPLETION},
    {"embed", LLMGR_MODEL_EMBEDDING},
    {"embedding", LLMGR_MODEL_EMBEDDING},
    {"embeddings", LLMGR_MODEL_EMBEDDING},
    {"embedcontent", LLMGR_MODEL_EMBEDDING},
    {"text-embedding", LLMGR_MODEL_EMBEDDING},
    {"text-embeddings", LLMGR_MODEL_EMBEDDING},
    {"feature-extraction", LLMGR_MODEL_EMBEDDING},
    {"sentence-similarity", LLMGR_MODEL_EMBEDDING},
    {"rerank", LLMGR_MODEL_RERANK},
    {"reranker", LLMGR_MODEL_RERANK},
    {"jina-rerank", LLMGR_MODEL_RERANK},
    {"text-ranking", LLMGR_MODEL_RERANK},
    {"image", LLMGR_MODEL_IMAGE},
    {"image-generation", LLMGR_MODEL_IMAGE},
    {"image-edit", LLMGR_MODEL_IMAGE},
    {"text-to-image", LLMGR_MODEL_IMAGE},
    {"image-to-image", LLMGR_MODEL_IMAGE},
    {"video", LLMGR_MODEL_VIDEO},
    {"video-generation", LLMGR_MODEL_VIDEO},
    {"openai-video", LLMGR_MODEL_VIDEO},
    {"text-to-video", LLMGR_MODEL_VIDEO},
    {"image-to-video", LLMGR_MODEL_VIDEO},
    {"tts", LLMGR_MODEL_SPEECH},
    {"speech", LLMGR_MODEL_SPEECH},
    {"audio-speech", LLMGR_MODEL_SPEECH},
    {"text-to-speech", LLMGR_MODEL_SPEECH},
    {"asr", LLMGR_MODEL_TRANSCRIPTION},
    {"stt", LLMGR_MODEL_TRANSCRIPTION},
    {"transcription", LLMGR_MODEL_TRANSCRIPTION},
    {"audio-transcription", LLMGR_MODEL_TRANSCRIPTION},
    {"speech-to-text", LLMGR_MODEL_TRANSCRIPTION},
    {"speech2text", LLMGR_MODEL_TRANSCRIPTION},
    {"automatic-speech-recognition", LLMGR_MODEL_TRANSCRIPTION},
    {"moderation", LLMGR_MODEL_MODERATION},
};

/* Where a word stands: `member` of the entry, or of its object `of`. */
static const struct {
    const char *of;
    const char *member;
} PLACES[] = {
    {NULL, "sub_type"},     {NULL, "type"},           {NULL, "mode"},
    {NULL, "model_type"},   {NULL, "task"},           {NULL, "pipeline_tag"},
    {"model_info", "mode"}, {"capabilities", "type"}, {"task", "name"},
};

static const char *const LISTS[] = {
    "endpoints",    "supported_endpoint_types",   "categories",
    "capabilities", "supportedGenerationMethods", "supported_generation_methods"};

/* What chats may do the rest too, so it comes first. */
static const struct {
    const char *member;
    llmgr_model_kind kind;
} CAPABILITIES[] = {
    {"completion_chat", LLMGR_MODEL_CHAT},  {"chat_completion", LLMGR_MODEL_CHAT},
    {"embeddings", LLMGR_MODEL_EMBEDDING},  {"audio_transcription", LLMGR_MODEL_TRANSCRIPTION},
    {"moderation", LLMGR_MODEL_MODERATION}, {"completion_fim", LLMGR_MODEL_COMPLETION},
    {"completion", LLMGR_MODEL_COMPLETION},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static llmgr_model_kind kind_of_word(const json_t *value)
{
    char word[WORD_MAX];
    struct lb_str text = lb_str(json_string_value(value), json_string_length(value));

    if (text.p == NULL || text.size > sizeof word)
        return LLMGR_MODEL_UNKNOWN;
    for (size_t i = 0; i < text.size; i++)
        word[i] = text.p[i] == '_' || text.p[i] == ' ' ? '-' : text.p[i];
    for (size_t i = 0; i < COUNT(WORDS); i++) {
        if (lb_str_eq_nocase(lb_str(word, text.size), lb_cstr(WORDS[i].word)))
            return WORDS[i].kind;
    }
    return LLMGR_MODEL_UNKNOWN;
}

static llmgr_model_kind kind_of_places(const json_t *entry)
{
    llmgr_model_kind kind = LLMGR_MODEL_UNKNOWN;

    for (size_t i = 0; i < COUNT(PLACES) && kind == LLMGR_MODEL_UNKNOWN; i++) {
        const json_t *of = PLACES[i].of != NULL ? json_object_get(entry, PLACES[i].of) : entry;
        kind = kind_of_word(json_object_get(of, PLACES[i].member));
    }
    return kind;
}

/*
 * The first known word; `chat` wherever it stands. `completion` says nothing here: Ollama and
 * llama.cpp say it of what chats.
 */
static llmgr_model_kind kind_of_list(const json_t *list)
{
    llmgr_model_kind first = LLMGR_MODEL_UNKNOWN;

    for (size_t i = 0; i < json_array_size(list); i++) {
        llmgr_model_kind kind = kind_of_word(json_array_get(list, i));
        if (kind == LLMGR_MODEL_CHAT)
            return kind;
        if (first == LLMGR_MODEL_UNKNOWN && kind != LLMGR_MODEL_COMPLETION)
            first = kind;
    }
    return first;
}

static llmgr_model_kind kind_of_lists(const json_t *entry)
{
    llmgr_model_kind kind = LLMGR_MODEL_UNKNOWN;

    for (size_t i = 0; i < COUNT(LISTS) && kind == LLMGR_MODEL_UNKNOWN; i++)
        kind = kind_of_list(json_object_get(entry, LISTS[i]));
    return kind;
}

static llmgr_model_kind kind_of_capabilities(const json_t *entry)
{
    const json_t *capabilities = json_object_get(entry, "capabilities");

    for (size_t i = 0; i < COUNT(CAPABILITIES); i++) {
        if (json_is_true(json_object_get(capabilities, CAPABILITIES[i].member)))
            return CAPABILITIES[i].kind;
    }
    return json_is_true(json_object_get(entry, "supports_chat")) ? LLMGR_MODEL_CHAT
                                                                 : LLMGR_MODEL_UNKNOWN;
}

static bool has_text(const json_t *list, const char *wanted)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (lb_str_eq_c(lb_str(json_string_value(item), json_string_length(item)), wanted))
            return true;
    }
    return false;
}

/* Text from sound alone is what was said; text from text, or from what is not told, is a chat. */
static llmgr_model_kind kind_of_text_from(const json_t *inputs)
{
    if (!json_is_array(inputs) || has_text(inputs, "text"))
        return LLMGR_MODEL_CHAT;
    return json_array_size(inputs) == 1 && has_text(inputs, "audio") ? LLMGR_MODEL_TRANSCRIPTION
                                                                     : LLMGR_MODEL_UNKNOWN;
}

static llmgr_model_kind kind_of_modalities(const json_t *entry)
{
    const json_t *outputs = json_object_get(entry, "output_modalities");

    if (!json_is_array(outputs))
        return LLMGR_MODEL_UNKNOWN;
    if (has_text(outputs, "text"))
        return kind_of_text_from(json_object_get(entry, "input_modalities"));
    if (has_text(outputs, "audio"))
        return LLMGR_MODEL_SPEECH;
    return kind_of_list(outputs);
}

llmgr_model_kind ld_model_kind(const json_t *entry)
{
    llmgr_model_kind kind = kind_of_places(entry);

    if (kind == LLMGR_MODEL_UNKNOWN)
        kind = kind_of_lists(entry);
    if (kind == LLMGR_MODEL_UNKNOWN)
        kind = kind_of_capabilities(entry);
    if (kind == LLMGR_MODEL_UNKNOWN)
        kind = kind_of_modalities(json_object_get(entry, "architecture"));
    return kind != LLMGR_MODEL_UNKNOWN ? kind : kind_of_modalities(entry);
}
