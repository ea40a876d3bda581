/* SPDX-License-Identifier: MIT */
#include "dialect/models.h"

#include "../unit.h"
#include <stdio.h>

#include "base/buf.h"

static struct lb_host host;

static void entries_with_an_id_are_listed_and_others_skipped(void **state)
{
    (void)state;
    struct llmgr_probe probe = {0};
    struct llmgr_error err = {0};

    assert_int_equal(
        ld_models_read(&host,
                       LB_STR("{\"data\":[{\"id\":\"a/b:1\",\"x\":1},{\"name\":\"n\"},7,{\"id\":7},"
                              "{\"id\":\"\"},{\"id\":\"z\\u0000\"},{\"id\":\"\\u4f60\"}]}"),
                       &probe, &err),
        LLMGR_OK);
    assert_int_equal(probe.count, 2);
    assert_string_equal(probe.models[0].id, "a/b:1");
    assert_string_equal(probe.models[0].raw, "{\"id\":\"a/b:1\",\"x\":1}");
    assert_string_equal(probe.models[1].id, "\xe4\xbd\xa0");
    ld_probe_clear(&probe);
    ld_probe_clear(&probe);
    assert_int_equal(ld_models_read(&host, LB_STR("{\"data\":[]}"), &probe, &err), LLMGR_OK);
    assert_int_equal(probe.count, 0);
    ld_probe_clear(&probe);
}

static void the_shapes_that_platforms_use_are_read(void **state)
{
    /* Each lists "m/1" and "m-2". */
    static const char *const BODIES[] = {
        "{\"object\":\"list\",\"data\":[{\"id\":\"m/1\"},{\"id\":\"m-2\"}]}",
        /* Together, GitHub's catalogue: the list alone, a name for people beside the id */
        "[{\"id\":\"m/1\",\"name\":\"One\"},{\"id\":\"m-2\",\"name\":\"Two\"}]",
        "\xef\xbb\xbf [ {\"id\":\"m/1\"}, {\"id\":\"m-2\"} ]\n",
        /* Cohere, Google */
        "{\"models\":[{\"name\":\"m/1\",\"endpoints\":[]},{\"name\":\"m-2\"}],\"next\":null}",
        /* Ollama: a name for people, and the model */
        "{\"models\":[{\"name\":\"One\",\"model\":\"m/1\"},{\"model\":\"m-2\"}]}",
        /* xAI */
        "{\"models\":[{\"id\":\"m/1\",\"version\":\"1\"},{\"id\":\"m-2\"}]}",
        /* Cloudflare: an id of the row, and the model's name */
        "{\"success\":true,\"result\":[{\"id\":\"429b\",\"name\":\"m/1\"},"
        "{\"id\":\"5a1c\",\"name\":\"m-2\"}],\"result_info\":{}}",
        /* DeepInfra, watsonx, Bedrock */
        "[{\"model_name\":\"m/1\",\"type\":\"text\"},{\"model_name\":\"m-2\"}]",
        "{\"resources\":[{\"model_id\":\"m/1\"},{\"model_id\":\"m-2\"}],\"limit\":2}",
        "{\"modelSummaries\":[{\"modelId\":\"m/1\",\"modelName\":\"One\"},"
        "{\"modelId\":\"m-2\"}]}",
        /* names alone */
        "[\"m/1\",\"m-2\"]",
        "{\"data\":[\"m/1\",\"m-2\"]}",
        "{\"models\":[\"m/1\",\"m-2\"]}",
        "{\"model_names\":[\"m/1\",\"m-2\"]}",
        /* wrapped once more */
        "{\"code\":0,\"data\":{\"data\":[{\"id\":\"m/1\"},{\"id\":\"m-2\"}]}}",
        "{\"output\":{\"total\":2,\"models\":[{\"model\":\"m/1\",\"name\":\"One\"},"
        "{\"model\":\"m-2\"}]}}",
        /* beside a list of something else */
        "{\"data\":[{\"id\":\"m/1\"},{\"id\":\"m-2\"}],\"models\":[\"x\"],\"errors\":[]}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        struct llmgr_probe probe = {0};
        struct llmgr_error err = {0};
        if (ld_models_read(&host, lb_cstr(BODIES[i]), &probe, &err) != LLMGR_OK)
            fail_msg("%s: %s", BODIES[i], err.message);
        if (probe.count != 2 || strcmp(probe.models[0].id, "m/1") != 0 ||
            strcmp(probe.models[1].id, "m-2") != 0)
            fail_msg("%s: %zu", BODIES[i], probe.count);
        assert_int_equal(probe.models[0].raw[0], '{'); /* also of a name alone */
        ld_probe_clear(&probe);
    }
}

/* As the lists have them, cut down to what bears the kind and what stands beside it. */
static const struct {
    llmgr_model_kind kind;
    const char *entry;
} KINDS[] = {
    /* Together; `language` completes there and chats at Vercel's gateway */
    {LLMGR_MODEL_CHAT, "{\"id\":\"m\",\"object\":\"model\",\"type\":\"chat\",\"running\":false}"},
    {LLMGR_MODEL_EMBEDDING, "{\"id\":\"m\",\"type\":\"embedding\"}"},
    {LLMGR_MODEL_RERANK, "{\"id\":\"m\",\"type\":\"rerank\"}"},
    {LLMGR_MODEL_IMAGE, "{\"id\":\"m\",\"type\":\"image\"}"},
    {LLMGR_MODEL_MODERATION, "{\"id\":\"m\",\"type\":\"moderation\"}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"type\":\"language\"}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"type\":\"audio\"}"},
    /* SiliconFlow: the narrower word first */
    {LLMGR_MODEL_TRANSCRIPTION,
     "{\"id\":\"m\",\"type\":\"audio\",\"sub_type\":\"speech-to-text\"}"},
    {LLMGR_MODEL_RERANK, "{\"id\":\"m\",\"type\":\"chat\",\"sub_type\":\"reranker\"}"},
    /* LM Studio, Anthropic */
    {LLMGR_MODEL_CHAT, "{\"id\":\"m\",\"type\":\"vlm\"}"},
    {LLMGR_MODEL_EMBEDDING, "{\"id\":\"m\",\"type\":\"embeddings\"}"},
    {LLMGR_MODEL_UNKNOWN, "{\"type\":\"model\",\"id\":\"m\",\"display_name\":\"chat\"}"},
    /* LiteLLM, beside the name and in its model_info */
    {LLMGR_MODEL_SPEECH, "{\"id\":\"m\",\"mode\":\"audio_speech\"}"},
    {LLMGR_MODEL_COMPLETION, "{\"id\":\"m\",\"mode\":\"completion\"}"},
    {LLMGR_MODEL_IMAGE, "{\"model_name\":\"m\",\"model_info\":{\"mode\":\"image_generation\"}}"},
    /* Xinference, Dify */
    {LLMGR_MODEL_CHAT, "{\"id\":\"m\",\"model_type\":\"LLM\"}"},
    {LLMGR_MODEL_TRANSCRIPTION, "{\"model\":\"m\",\"model_type\":\"speech2text\"}"},
    /* GitHub, Cloudflare, Hugging Face, Copilot */
    {LLMGR_MODEL_CHAT, "{\"name\":\"m\",\"task\":\"chat-completion\"}"},
    {LLMGR_MODEL_EMBEDDING,
     "{\"name\":\"m\",\"task\":{\"id\":\"0\",\"name\":\"Text Embeddings\"}}"},
    {LLMGR_MODEL_IMAGE, "{\"name\":\"m\",\"task\":{\"name\":\"Text-to-Image\"}}"},
    {LLMGR_MODEL_EMBEDDING, "{\"id\":\"m\",\"pipeline_tag\":\"feature-extraction\"}"},
    {LLMGR_MODEL_EMBEDDING, "{\"id\":\"m\",\"capabilities\":{\"type\":\"embeddings\"}}"},
    /* Cohere, New API (which says openai of everything), GPUStack, Ollama, Google */
    {LLMGR_MODEL_CHAT, "{\"name\":\"m\",\"endpoints\":[\"rerank\",\"chat\"]}"},
    {LLMGR_MODEL_EMBEDDING, "{\"name\":\"m\",\"endpoints\":[\"classify\",\"embed\"]}"},
    {LLMGR_MODEL_IMAGE,
     "{\"id\":\"m\",\"supported_endpoint_types\":[\"image-generation\",\"openai\"]}"},
    {LLMGR_MODEL_RERANK, "{\"id\":\"m\",\"supported_endpoint_types\":[\"jina-rerank\"]}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"supported_endpoint_types\":[\"openai\",7]}"},
    {LLMGR_MODEL_SPEECH, "{\"id\":\"m\",\"categories\":[\"text_to_speech\"]}"},
    {LLMGR_MODEL_EMBEDDING, "{\"model\":\"m\",\"capabilities\":[\"embedding\"]}"},
    {LLMGR_MODEL_UNKNOWN, "{\"model\":\"m\",\"capabilities\":[\"completion\",\"tools\"]}"},
    {LLMGR_MODEL_EMBEDDING, "{\"name\":\"m\",\"supportedGenerationMethods\":[\"embedContent\"]}"},
    /* Mistral, Azure, Fireworks */
    {LLMGR_MODEL_CHAT,
     "{\"id\":\"m\",\"capabilities\":{\"completion_fim\":true,\"completion_chat\":true}}"},
    {LLMGR_MODEL_COMPLETION,
     "{\"id\":\"m\",\"capabilities\":{\"completion_fim\":true,\"completion_chat\":false}}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m-embed\",\"capabilities\":{\"completion_chat\":false}}"},
    {LLMGR_MODEL_MODERATION, "{\"id\":\"m\",\"capabilities\":{\"moderation\":true}}"},
    {LLMGR_MODEL_EMBEDDING, "{\"id\":\"m\",\"capabilities\":{\"embeddings\":true,\"inference\":"
                            "true,\"completion\":false}}"},
    {LLMGR_MODEL_CHAT, "{\"id\":\"m\",\"supports_chat\":true}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"supports_chat\":false}"},
    /* OpenRouter, Venice and others at the top */
    {LLMGR_MODEL_CHAT, "{\"id\":\"m\",\"architecture\":{\"input_modalities\":[\"text\",\"image\"],"
                       "\"output_modalities\":[\"image\",\"text\"]}}"},
    {LLMGR_MODEL_IMAGE, "{\"id\":\"m\",\"architecture\":{\"input_modalities\":[\"text\"],"
                        "\"output_modalities\":[\"image\"]}}"},
    {LLMGR_MODEL_EMBEDDING,
     "{\"id\":\"m\",\"architecture\":{\"output_modalities\":[\"embeddings\"]}}"},
    {LLMGR_MODEL_TRANSCRIPTION, "{\"id\":\"m\",\"architecture\":{\"input_modalities\":[\"audio\"],"
                                "\"output_modalities\":[\"text\"]}}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"architecture\":{\"input_modalities\":[\"image\"],"
                          "\"output_modalities\":[\"text\"]}}"},
    {LLMGR_MODEL_SPEECH, "{\"id\":\"m\",\"output_modalities\":[\"audio\"]}"},
    {LLMGR_MODEL_CHAT, "{\"id\":\"m\",\"output_modalities\":[\"text\"]}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"output_modalities\":\"text\"}"},
    /* a name says nothing, and what is no word is none */
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"text-embedding-3-large\"}"},
    {LLMGR_MODEL_UNKNOWN, "\"text-embedding-3-large\""},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"type\":[\"chat\"],\"mode\":7,\"task\":null}"},
    {LLMGR_MODEL_UNKNOWN, "{\"id\":\"m\",\"type\":\"\",\"mode\":\"chat\\u0000\"}"},
    {LLMGR_MODEL_UNKNOWN,
     "{\"id\":\"m\",\"type\":\"chatchatchatchatchatchatchatchatchatchatchat\"}"},
};

static void a_models_kind_is_what_its_entry_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct llmgr_probe probe = {0};
        char body[400];
        snprintf(body, sizeof body, "{\"data\":[%s]}", KINDS[i].entry);
        assert_int_equal(ld_models_read(&host, lb_cstr(body), &probe, NULL), LLMGR_OK);
        if (probe.count != 1 || probe.models[0].kind != KINDS[i].kind)
            fail_msg("%s: %s", KINDS[i].entry, llmgr_model_kind_name(probe.models[0].kind));
        ld_probe_clear(&probe);
    }
}

/* Likewise what bears the tokens: those that fit in, those of an answer. */
static const struct {
    int64_t context, max_output;
    const char *entry;
} TOKENS[] = {
    /* OpenRouter: what the platform it goes to may give, or null */
    {131072, 16384,
     "{\"id\":\"m\",\"context_length\":131072,\"top_provider\":{\"context_length\":131072,"
     "\"max_completion_tokens\":16384,\"is_moderated\":false}}"},
    {8192, 0,
     "{\"id\":\"m\",\"context_length\":8192,\"top_provider\":{\"max_completion_tokens\":null}}"},
    /* Groq, Vercel's AI Gateway, Requesty */
    {131072, 32768, "{\"id\":\"m\",\"context_window\":131072,\"max_completion_tokens\":32768}"},
    {200000, 64000, "{\"id\":\"m\",\"context_window\":200000,\"max_tokens\":64000}"},
    {200000, 8192, "{\"id\":\"m\",\"context_window\":200000,\"max_output_tokens\":8192}"},
    /* vLLM, SGLang, Mistral, llama.cpp */
    {32768, 0, "{\"id\":\"m\",\"owned_by\":\"vllm\",\"max_model_len\":32768}"},
    {131072, 0, "{\"id\":\"m\",\"max_context_length\":131072}"},
    {4096, 0, "{\"id\":\"m\",\"meta\":{\"n_ctx\":4096,\"n_ctx_train\":131072}}"},
    {0, 0, "{\"id\":\"m\",\"meta\":{\"n_ctx_train\":131072}}"},
    /* LM Studio: what is loaded before what could be */
    {8192, 0, "{\"id\":\"m\",\"max_context_length\":131072,\"loaded_context_length\":8192}"},
    /* Google Gemini, Anthropic */
    {1048576, 65536, "{\"name\":\"m\",\"inputTokenLimit\":1048576,\"outputTokenLimit\":65536}"},
    {200000, 64000, "{\"id\":\"m\",\"max_input_tokens\":200000,\"max_tokens\":64000}"},
    /* Novita, Chutes, DeepInfra, Cerebras */
    {32768, 16384, "{\"id\":\"m\",\"context_size\":32768,\"max_output_tokens\":16384}"},
    {40960, 4096, "{\"id\":\"m\",\"context_length\":40960,\"max_output_length\":4096}"},
    {40960, 4096, "{\"id\":\"m\",\"metadata\":{\"context_length\":40960,\"max_tokens\":4096}}"},
    {131072, 40000,
     "{\"id\":\"m\",\"limits\":{\"max_context_length\":131072,"
     "\"max_completion_tokens\":40000}}"},
    /* GitHub Models and Copilot, models.dev, LiteLLM, Cloudflare */
    {128000, 4096,
     "{\"id\":\"m\",\"limits\":{\"max_input_tokens\":128000,\"max_output_tokens\":4096}}"},
    {128000, 16384,
     "{\"id\":\"m\",\"capabilities\":{\"limits\":{\"max_output_tokens\":16384,"
     "\"max_context_window_tokens\":128000}}}"},
    {200000, 32000, "{\"id\":\"m\",\"limit\":{\"context\":200000,\"output\":32000}}"},
    {200000, 32000,
     "{\"model_name\":\"m\",\"model_info\":{\"max_input_tokens\":200000,"
     "\"max_output_tokens\":32000}}"},
    {24000, 0,
     "{\"name\":\"m\",\"properties\":[{\"property_id\":\"beta\",\"value\":\"1\"},"
     "{\"property_id\":\"context_window\",\"value\":\"24000\"}]}"},
    /* what says nothing, and lets the next place speak */
    {0, 0, "{\"id\":\"m\"}"},
    {4096, 1,
     "{\"id\":\"m\",\"context_length\":0,\"context_window\":4096,"
     "\"max_completion_tokens\":-1,\"max_tokens\":1}"},
    {1000000000, 0, "{\"id\":\"m\",\"context_length\":1000000000,\"max_tokens\":1000000001}"},
    {0, 0, "{\"id\":\"m\",\"context_length\":9223372036854775807,\"max_tokens\":1e5}"},
    {0, 0, "{\"id\":\"m\",\"context_length\":\"184467440737095516170\",\"max_tokens\":\"4k\"}"},
    {0, 0,
     "{\"id\":\"m\",\"context_length\":[4096],\"limit\":4096,\"properties\":{\"a\":1},"
     "\"capabilities\":[{\"limits\":1}],\"max_tokens\":true}"},
};

static void a_models_tokens_are_what_its_entry_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof TOKENS / sizeof TOKENS[0]; i++) {
        struct llmgr_probe probe = {0};
        char body[400];
        snprintf(body, sizeof body, "{\"data\":[%s]}", TOKENS[i].entry);
        assert_int_equal(ld_models_read(&host, lb_cstr(body), &probe, NULL), LLMGR_OK);
        if (probe.count != 1 || probe.models[0].context_tokens != TOKENS[i].context ||
            probe.models[0].max_output_tokens != TOKENS[i].max_output)
            fail_msg("%s: %lld, %lld", TOKENS[i].entry, (long long)probe.models[0].context_tokens,
                     (long long)probe.models[0].max_output_tokens);
        ld_probe_clear(&probe);
    }
}

static void an_entry_that_is_a_name_alone_is_an_object_too(void **state)
{
    struct llmgr_probe probe = {0};
    (void)state;

    assert_int_equal(ld_models_read(&host, LB_STR("[\"a\\\"b\"]"), &probe, NULL), LLMGR_OK);
    assert_string_equal(probe.models[0].id, "a\"b");
    assert_string_equal(probe.models[0].raw, "{\"id\":\"a\\\"b\"}");
    ld_probe_clear(&probe);
    assert_int_equal(ld_models_read(&host, LB_STR("[]"), &probe, NULL), LLMGR_OK);
    assert_int_equal(probe.count, 0);
    ld_probe_clear(&probe);
}

static void what_is_no_list_is_said_to_be_none(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        "<html>",
                                        "{}",
                                        "[1]",
                                        "{\"data\":null}",
                                        "{\"data\":{\"id\":\"a\"}}",
                                        "null",
                                        "{\"data\":\"a\"}",
                                        "{\"object\":\"list\"}",
                                        "[[\"a\"]]",
                                        "[{\"x\":\"a\"}]",
                                        "{\"models\":[1]}",
                                        "{\"error\":{\"message\":\"no\"}}",
                                        "{\"detail\":[{\"name\":\"loc\"}]}",
                                        "{\"errors\":[\"no\"]}",
                                        "\"a\"",
                                        "{\"data\":{\"data\":{\"data\":[\"a\"]}}}"};

    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct llmgr_probe probe = {0};
        struct llmgr_error err = {0};
        assert_int_equal(ld_models_read(&host, lb_cstr(TEXTS[i]), &probe, &err), LLMGR_ERR_NO_LIST);
        assert_null(probe.memory);
    }
}

static void a_list_beyond_its_bounds_is_refused(void **state)
{
    (void)state;
    struct llmgr_probe probe = {0};
    struct llmgr_error err = {0};
    struct lb_buf body;

    lb_buf_init(&body, &host, LD_MODELS_BODY_MAX + 64);
    lb_buf_add_c(&body, "{\"data\":[0");
    for (int i = 0; i < LD_MODELS_MAX; i++)
        lb_buf_add_c(&body, ",0");
    lb_buf_add_c(&body, "]}");
    assert_int_equal(ld_models_read(&host, lb_buf_str(&body), &probe, &err), LLMGR_ERR_PROTOCOL);
    assert_non_null(strstr(err.message, "100000 entries"));
    while (body.size <= LD_MODELS_BODY_MAX)
        lb_buf_add_byte(&body, ' ');
    assert_int_equal(ld_models_read(&host, lb_buf_str(&body), &probe, &err), LLMGR_ERR_PROTOCOL);
    assert_non_null(strstr(err.message, "bytes"));
    assert_null(probe.memory);
    lb_buf_free(&body);
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_with_an_id_are_listed_and_others_skipped),
        cmocka_unit_test(the_shapes_that_platforms_use_are_read),
        cmocka_unit_test(a_models_kind_is_what_its_entry_says),
        cmocka_unit_test(a_models_tokens_are_what_its_entry_says),
        cmocka_unit_test(an_entry_that_is_a_name_alone_is_an_object_too),
        cmocka_unit_test(what_is_no_list_is_said_to_be_none),
        cmocka_unit_test(a_list_beyond_its_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
