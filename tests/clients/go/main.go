// SPDX-License-Identifier: MIT
// The package openai-go, as its own documentation uses it; test_go.py reads a line of JSON per case.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

const (
	said     = "你好，世界 🌍"
	hello    = "Hello from mockllm! You said: " + said
	patience = 30 * time.Second // a bound for what takes milliseconds
)

var client = clientWith(os.Getenv("LLMGR_TOKEN"), os.Getenv("LLMGR_URL")+"/v1/")

var cases = []struct {
	name string
	run  func(context.Context) error
}{
	{"a whole answer", wholeAnswer},
	{"a streamed answer, with usage and without", streamedAnswer},
	{"tool calls, whole and streamed", toolCalls},
	{"responses, whole and streamed", someResponses},
	{"embeddings", embeddings},
	{"models are listed and found by id", models},
	{"a platform that is silent before and between its events", silences},
	{"a stream that is cut ends with an error", cutStreams},
	{"an error inside an answer of status 200 is an error", errorsInside},
	{"errors have their status, code and message", refusals},
	{"the path without v1", withoutV1},
}

func clientWith(token, url string) openai.Client {
	return openai.NewClient(option.WithBaseURL(url), option.WithAPIKey(token),
		option.WithMaxRetries(0))
}

func ask(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(said)},
	}
}

func input(model string) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: model,
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(said)},
	}
}

func want(what string, got, wanted any) error {
	if got != wanted {
		return fmt.Errorf("%s: %v instead of %v", what, got, wanted)
	}
	return nil
}

// Read whole; the accumulator is the package's own.
func gather(stream *ssestream.Stream[openai.ChatCompletionChunk]) (openai.ChatCompletionAccumulator, error) {
	sum := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		if chunk := stream.Current(); !sum.AddChunk(chunk) {
			return sum, fmt.Errorf("a chunk that belongs to no answer: %s", chunk.RawJSON())
		}
	}
	return sum, stream.Err()
}

func wholeAnswer(ctx context.Context) error {
	answer, err := client.Chat.Completions.New(ctx, ask("mock"))
	if err != nil {
		return err
	}
	return errors.Join(want("text", answer.Choices[0].Message.Content, hello),
		want("end", answer.Choices[0].FinishReason, "stop"),
		want("usage", answer.Usage.TotalTokens > 0, true))
}

func streamedAnswer(ctx context.Context) error {
	for _, usage := range []bool{false, true} {
		params := ask("mock")
		if usage {
			params.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		sum, err := gather(client.Chat.Completions.NewStreaming(ctx, params))
		if err != nil {
			return err
		}
		if err = errors.Join(want("text", sum.Choices[0].Message.Content, hello),
			want("end", sum.Choices[0].FinishReason, "stop"),
			want("usage", sum.Usage.TotalTokens > 0, usage)); err != nil {
			return err
		}
	}
	return nil
}

func toolCalls(ctx context.Context) error {
	params := ask("mock-tools")
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(
		shared.FunctionDefinitionParam{Name: "get_weather", Parameters: shared.FunctionParameters{
			"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}},
		}})}
	whole, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	sum, err := gather(client.Chat.Completions.NewStreaming(ctx, params))
	if err != nil {
		return err
	}
	for _, choice := range []openai.ChatCompletionChoice{whole.Choices[0], sum.Choices[0]} {
		if err := want("calls", len(choice.Message.ToolCalls), 2); err != nil {
			return err
		}
		first := choice.Message.ToolCalls[0].Function
		if err := errors.Join(want("end", choice.FinishReason, "tool_calls"),
			want("name", first.Name, "get_weather"),
			want("arguments", first.Arguments, `{"city":"Paris"}`)); err != nil {
			return err
		}
	}
	return nil
}

// The types of a stream's events, and the text of its pieces.
func follow(stream *ssestream.Stream[responses.ResponseStreamEventUnion]) ([]string, string, error) {
	types, text := []string{}, ""
	for stream.Next() {
		event := stream.Current()
		types = append(types, event.Type)
		if event.Type == "response.output_text.delta" {
			text += event.Delta
		}
	}
	return types, text, stream.Err()
}

func someResponses(ctx context.Context) error {
	whole, err := client.Responses.New(ctx, input("mock"))
	if err != nil {
		return err
	}
	if err = errors.Join(want("text", whole.OutputText(), hello),
		want("usage", whole.Usage.TotalTokens, int64(16))); err != nil {
		return err
	}
	return wholeStream(ctx, "mock")
}

func wholeStream(ctx context.Context, model string) error {
	types, text, err := follow(client.Responses.NewStreaming(ctx, input(model)))
	if err != nil {
		return err
	}
	return errors.Join(want("text", text, hello), want("first", types[0], "response.created"),
		want("last", types[len(types)-1], "response.completed"))
}

func embeddings(ctx context.Context) error {
	answer, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
		Model: "mock",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
	})
	if err != nil {
		return err
	}
	return errors.Join(want("rows", len(answer.Data), 2),
		want("vector", fmt.Sprint(answer.Data[1].Embedding), "[1 0.5 -0.5 0.25]"))
}

func models(ctx context.Context) error {
	pages := client.Models.ListAutoPaging(ctx)
	count, slash := 0, ""
	for pages.Next() {
		count++
		if id := pages.Current().ID; strings.Contains(id, "vendor/model:1") {
			slash = id
		}
	}
	if err := errors.Join(pages.Err(), want("more than five", count > 5, true)); err != nil {
		return err
	}
	one, err := client.Models.Get(ctx, slash)
	if err != nil {
		return err
	}
	return want("id", one.ID, slash)
}

func silences(ctx context.Context) error {
	for _, model := range []string{"mock-slow-120", "mock-slow-120+ids"} {
		sum, err := gather(client.Chat.Completions.NewStreaming(ctx, ask(model)))
		if err != nil {
			return fmt.Errorf("%s: %w", model, err)
		}
		if err = want(model, sum.Choices[0].Message.Content, hello); err != nil {
			return err
		}
		if err = wholeStream(ctx, model); err != nil {
			return fmt.Errorf("%s: %w", model, err)
		}
	}
	return nil
}

func cutStreams(ctx context.Context) error {
	for _, model := range []string{"mock-cut-600", "mock-error-event"} {
		sum, err := gather(client.Chat.Completions.NewStreaming(ctx, ask(model)))
		if err == nil || len(sum.Choices) == 0 {
			return fmt.Errorf("%s: %d choices, and as error %v", model, len(sum.Choices), err)
		}
	}
	types, _, err := follow(client.Responses.NewStreaming(ctx, input("mock-cut-600")))
	if err == nil && types[len(types)-1] != "response.failed" {
		return fmt.Errorf("a cut response: %v", types)
	}
	return nil
}

func errorsInside(ctx context.Context) error {
	_, err := gather(client.Chat.Completions.NewStreaming(ctx, ask("mock-error-200")))
	if err == nil || !strings.Contains(err.Error(), "mock error") {
		return fmt.Errorf("streamed: %v", err)
	}
	return nil
}

func refusals(ctx context.Context) error {
	strange := clientWith("sk-llmgr-wrong", os.Getenv("LLMGR_URL")+"/v1/")
	for _, row := range []struct {
		client openai.Client
		model  string
		status int
		code   string
	}{
		{strange, "mock", 401, "invalid_api_key"},
		{client, "no-such-model", 404, "model_not_found"},
		{client, "mock-400", 400, ""},
		{client, "mock-429", 429, "rate_limit_exceeded"},
		{client, "mock-500", 500, ""},
	} {
		_, err := row.client.Chat.Completions.New(ctx, ask(row.model))
		var told *openai.Error
		if !errors.As(err, &told) {
			return fmt.Errorf("%s: no error of the package's: %v", row.model, err)
		}
		if err := errors.Join(want(row.model, told.StatusCode, row.status),
			want(row.model, told.Message != "", true)); err != nil {
			return err
		}
		if row.code != "" && told.Code != row.code {
			return fmt.Errorf("%s: code %q", row.model, told.Code)
		}
		// Of a stream that a keep-alive has begun, only an event can tell.
		if _, err := gather(row.client.Chat.Completions.NewStreaming(ctx, ask(row.model))); err == nil {
			return fmt.Errorf("%s: a stream without an error", row.model)
		}
	}
	return nil
}

func withoutV1(ctx context.Context) error {
	short := clientWith(os.Getenv("LLMGR_TOKEN"), os.Getenv("LLMGR_URL"))
	answer, err := short.Chat.Completions.New(ctx, ask("mock"))
	if err != nil {
		return err
	}
	return want("text", answer.Choices[0].Message.Content, hello)
}

// A panic of a case is its complaint.
func complaintOf(run func(context.Context) error) (complaint any) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() {
		if caught := recover(); caught != nil {
			complaint = fmt.Sprint(caught)
		}
	}()
	if err := run(ctx); err != nil {
		return err.Error()
	}
	return nil
}

func main() {
	for _, row := range cases {
		line, _ := json.Marshal(map[string]any{"name": row.name, "complaint": complaintOf(row.run)})
		fmt.Println(string(line))
	}
}
