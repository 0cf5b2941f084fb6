package zagreus

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// The module and a model, by their paths in ZAGREUS_WASM and ZAGREUS_MODEL.
func load(t *testing.T, config Config) *Model {
	t.Helper()
	wasm, err := os.ReadFile(os.Getenv("ZAGREUS_WASM"))
	if err != nil {
		t.Fatal("ZAGREUS_WASM: ", err)
	}
	file, err := os.ReadFile(os.Getenv("ZAGREUS_MODEL"))
	if err != nil {
		t.Fatal("ZAGREUS_MODEL: ", err)
	}
	model, err := Load(t.Context(), wasm, bytes.NewReader(file), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close(context.Background()) })
	return model
}

func text(t *testing.T, model *Model, prompt string, options Options) string {
	t.Helper()
	var all strings.Builder
	for piece, err := range model.Complete(t.Context(), prompt, options) {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(piece)
	}
	return all.String()
}

func TestASeedIsAText(t *testing.T) {
	model := load(t, Config{})
	options := Options{MaxTokens: Float(30), Seed: Seed(1<<64 - 3)}
	first := text(t, model, "C'era una volta", options)
	if again := text(t, model, "C'era una volta", options); again != first || first == "" {
		t.Errorf("%q, then %q", first, again)
	}
	options.Stop = []string{first[5:9]}
	if stopped := text(t, model, "C'era una volta", options); stopped != first[:5] {
		t.Errorf("%q before %q", stopped, first[5:9])
	}
}

func TestATextIsOneOfTheGrammar(t *testing.T) {
	grammar, err := os.ReadFile(os.Getenv("ZAGREUS_GRAMMAR"))
	if err != nil {
		t.Fatal("ZAGREUS_GRAMMAR: ", err)
	}
	written := text(t, load(t, Config{}), "C'era una volta un re che aveva", Options{MaxTokens: Float(60), Seed: Seed(5), Grammar: grammar})
	if expected := os.Getenv("ZAGREUS_GRAMMAR_TEXT"); written != expected {
		t.Errorf("%q, not %q", written, expected)
	}
}

func TestACancelledContextEndsACompletionAndNothingElse(t *testing.T) {
	model := load(t, Config{})
	ctx, cancel := context.WithCancelCause(t.Context())
	session, err := model.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err = session.Append(t.Context(), "C'era una volta"); err != nil {
		t.Fatal(err)
	}
	defer cancel(nil)
	enough := errors.New("enough")
	pieces := 0
	for _, err = range session.Complete(ctx, Options{MaxTokens: Float(100)}) {
		if pieces++; pieces == 5 {
			cancel(enough)
		}
	}
	if !errors.Is(err, enough) || pieces != 6 {
		t.Errorf("%v after %d pieces", err, pieces)
	}
	if text(t, model, "C'era una volta", Options{MaxTokens: Float(5)}) == "" {
		t.Error("the model says nothing any more")
	}
}

func TestAReceiptOfTheLibrary(t *testing.T) {
	data, err := os.ReadFile(os.Getenv("ZAGREUS_RECEIPT"))
	if err != nil {
		t.Fatal("ZAGREUS_RECEIPT: ", err)
	}
	model := load(t, Config{})
	if difference, err := model.Verify(t.Context(), data); difference != "" || err != nil {
		t.Errorf("%s, %v", difference, err)
	}
	for from, to := range map[string]string{`"tokens":[`: `"tokens":[1,`, `"temperature":0.8`: `"temperature":0`, `"logits":"`: `"logits":"f`} {
		tampered := bytes.Replace(data, []byte(from), []byte(to), 1)
		if difference, err := model.Verify(t.Context(), tampered); difference == "" || err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	model := load(t, Config{Context: 16})
	for _, err := range model.Complete(t.Context(), strings.Repeat("parola ", 50), Options{}) {
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != 59 {
			t.Errorf("%v", err)
		}
	}
	for _, err := range model.Complete(t.Context(), "a", Options{Temperature: Float(-1)}) {
		if err == nil || !strings.Contains(err.Error(), "temperature") {
			t.Errorf("%v", err)
		}
	}
	wasm, _ := os.ReadFile(os.Getenv("ZAGREUS_WASM"))
	if _, err := Load(t.Context(), wasm, strings.NewReader("GGML..."), Config{}); err == nil {
		t.Error("that is no model")
	}
}

// Tokens a second: go test -bench .
func BenchmarkModel(b *testing.B) {
	wasm, _ := os.ReadFile(os.Getenv("ZAGREUS_WASM"))
	file, err := os.Open(os.Getenv("ZAGREUS_MODEL"))
	if err != nil {
		b.Fatal("ZAGREUS_MODEL: ", err)
	}
	defer file.Close()
	model, err := Load(b.Context(), wasm, file, Config{Context: 512})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close(context.Background())
	tokens := make([]uint32, 33)
	run := func(b *testing.B, count int) {
		for n := range b.N {
			session, err := model.Session(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for i := range tokens[:count] {
				tokens[i] = uint32((31*i + n) % int(model.Info.Vocabulary))
			}
			if err := session.AppendTokens(b.Context(), tokens[:count]); err != nil {
				b.Fatal(err)
			}
			if _, err := session.Logits(b.Context()); err != nil {
				b.Fatal(err)
			}
			session.Close(b.Context())
		}
		b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "tokens/s")
	}
	b.Run("prefill", func(b *testing.B) { run(b, 33) })
	b.Run("decode", func(b *testing.B) { run(b, 1) })
}
