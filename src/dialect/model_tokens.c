/* SPDX-License-Identifier: MIT */
/*
 * Asked in the order of the tables; the first place that holds a number of tokens is believed.
 * What a server has loaded is asked before what the model could do.
 *
 * A number is an integer, or its decimal digits as a text (Cloudflare); 0, a null and what is over
 * LLMGR_MODEL_TOKENS_MAX say nothing.
 */
#include "dialect/model_tokens.h"

#include <string.h>

#include "base/str.h"
#include "json/write.h"
#include "llmgr.h"

/* Members, of objects within the entry where there is a '.'. */
static const char *const CONTEXT_PLACES[] = {
    "loaded_context_length",       /* LM Studio, of a model that is loaded */
    "context_length",              /* OpenRouter, Together, Fireworks, Moonshot, Cohere, Chutes */
    "context_window",              /* Groq, Vercel's AI Gateway, Requesty */
    "max_model_len",               /* vLLM, SGLang */
    "max_context_length",          /* Mistral, LM Studio */
    "inputTokenLimit",             /* Google Gemini */
    "max_input_tokens",            /* Anthropic */
    "context_size",                /* Novita, PPIO */
    "meta.n_ctx",                  /* llama.cpp, of what is loaded */
    "metadata.context_length",     /* DeepInfra */
    "limits.max_context_length",   /* Cerebras */
    "limits.max_input_tokens",     /* GitHub Models */
    "limit.context",               /* models.dev */
    "model_info.max_input_tokens", /* LiteLLM, /model/info */
    "capabilities.limits.max_context_window_tokens", /* GitHub Copilot */
};
static const char *const OUTPUT_PLACES[] = {
    "top_provider.max_completion_tokens",    /* OpenRouter */
    "max_completion_tokens",                 /* Groq */
    "max_output_tokens",                     /* Requesty, Novita */
    "max_output_length",                     /* Chutes */
    "outputTokenLimit",                      /* Google Gemini */
    "max_tokens",                            /* Anthropic, Vercel's AI Gateway */
    "metadata.max_tokens",                   /* DeepInfra */
    "limits.max_completion_tokens",          /* Cerebras */
    "limits.max_output_tokens",              /* GitHub Models */
    "limit.output",                          /* models.dev */
    "model_info.max_output_tokens",          /* LiteLLM, /model/info */
    "capabilities.limits.max_output_tokens", /* GitHub Copilot */
};

static int64_t tokens_of(const json_t *value)
{
    const struct lb_str text = lb_str(json_string_value(value), json_string_length(value));
    uint64_t digits;
    int64_t tokens = json_integer_value(value);

    if (json_is_string(value) && lb_str_to_u64(text, &digits) && digits <= LLMGR_MODEL_TOKENS_MAX)
        tokens = (int64_t)digits;
    return tokens > 0 && tokens <= LLMGR_MODEL_TOKENS_MAX ? tokens : 0;
}

static const json_t *at_place(const json_t *entry, const char *place)
{
    for (const char *end; (end = strchr(place, '.')) != NULL; place = end + 1)
        entry = json_object_getn(entry, place, (size_t)(end - place));
    return json_object_get(entry, place);
}

static int64_t first_of(const json_t *entry, const char *const *places, size_t count)
{
    int64_t tokens = 0;

    for (size_t i = 0; i < count && tokens == 0; i++)
        tokens = tokens_of(at_place(entry, places[i]));
    return tokens;
}

/* Cloudflare has a list of {"property_id": "context_window", "value": "24000"}. */
static int64_t of_properties(const json_t *entry, const char *name)
{
    const json_t *properties = json_object_get(entry, "properties");

    for (size_t i = 0; i < json_array_size(properties); i++) {
        const json_t *property = json_array_get(properties, i);
        if (lb_str_eq_c(lj_json_str(property, "property_id"), name))
            return tokens_of(json_object_get(property, "value"));
    }
    return 0;
}

int64_t ld_model_context(const json_t *entry)
{
    int64_t tokens =
        first_of(entry, CONTEXT_PLACES, sizeof CONTEXT_PLACES / sizeof CONTEXT_PLACES[0]);

    return tokens != 0 ? tokens : of_properties(entry, "context_window");
}

int64_t ld_model_max_output(const json_t *entry)
{
    return first_of(entry, OUTPUT_PLACES, sizeof OUTPUT_PLACES / sizeof OUTPUT_PLACES[0]);
}
