package zagreus

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

type receipt struct {
	Version       int
	Model         string
	KVType        string
	ContextLength uint32
	Prompt        []uint32
	Options       map[string]json.RawMessage
	Seed          string
	Tokens        []uint32
	EndToken      *uint32
	FinishReason  string
	Logits        string
}

var (
	kvTypes       = []string{"int8", "f32", "f16", "int4"}
	finishReasons = []string{"", "stop", "length", "context"}
)

func (r *receipt) options() (Options, error) {
	var options Options
	numbers := map[string]**float64{"maxTokens": &options.MaxTokens, "temperature": &options.Temperature,
		"topK": &options.TopK, "topP": &options.TopP, "minP": &options.MinP,
		"repetitionPenalty": &options.RepetitionPenalty, "noRepeatNgram": &options.NoRepeatNgram}
	for name, value := range r.Options {
		var err error
		switch number, known := numbers[name]; {
		case known:
			err = json.Unmarshal(value, number)
		case name == "stop":
			err = json.Unmarshal(value, &options.Stop)
		case name == "logitBias":
			options.LogitBias, err = biases(value)
		default:
			err = fmt.Errorf("option of the library for JavaScript: %s", name)
		}
		if err != nil {
			return options, err
		}
	}
	seed, err := strconv.ParseUint(r.Seed, 10, 64)
	options.Seed = &seed
	return options, err
}

func biases(list json.RawMessage) (map[uint32]float64, error) {
	var pairs [][2]any
	if err := json.Unmarshal(list, &pairs); err != nil {
		return nil, err
	}
	biases := make(map[uint32]float64, len(pairs))
	for _, pair := range pairs {
		token, _ := pair[0].(float64)
		bias, isNumber := pair[1].(float64)
		if !isNumber {
			bias = math.Inf(-1)
		}
		biases[uint32(token)] = bias
	}
	return biases, nil
}

// Verify makes the completion of a receipt again, as zagreus complete --receipt writes it. The empty string: it is the
// same; otherwise where it parts. What the model cannot tell is an error.
func (m *Model) Verify(ctx context.Context, data []byte) (string, error) {
	var r receipt
	if err := json.Unmarshal(data, &r); err != nil {
		return "", err
	}
	kv := kvTypes[m.Info.KVType]
	if r.Version != 1 || r.KVType != kv || r.ContextLength != m.Info.Context {
		return "", fmt.Errorf("the receipt is version %d of a model with %s and %d positions, this one was loaded with %s and %d",
			r.Version, r.KVType, r.ContextLength, kv, m.Info.Context)
	}
	hash, err := m.Hash(ctx)
	if err != nil {
		return "", err
	}
	if here := fmt.Sprintf("%016x", hash); here != r.Model {
		return fmt.Sprintf("model: %s in the receipt, %s here", r.Model, here), nil
	}
	options, err := r.options()
	if err != nil {
		return "", err
	}
	return m.difference(ctx, &r, options)
}

func (m *Model) difference(ctx context.Context, r *receipt, options Options) (string, error) {
	session, err := m.Session(ctx)
	if err != nil {
		return "", err
	}
	defer session.Close(context.WithoutCancel(ctx))
	if err := session.AppendTokens(ctx, r.Prompt); err != nil {
		return "", err
	}
	said := Said{}
	for _, err := range session.complete(ctx, options, &said) {
		if err != nil {
			return "", err
		}
	}
	for i := range max(len(said.Tokens), len(r.Tokens)) {
		if i >= len(said.Tokens) || i >= len(r.Tokens) || said.Tokens[i] != r.Tokens[i] {
			return fmt.Sprintf("token %d", i), nil
		}
	}
	if end := r.EndToken; (end == nil) != (said.EndToken == nil) || (end != nil && *end != *said.EndToken) {
		return "endToken", nil
	}
	if said.FinishReason != r.FinishReason {
		return fmt.Sprintf("finishReason: %s in the receipt, %s here", r.FinishReason, said.FinishReason), nil
	}
	logits, err := m.logitsHash(ctx, slices.Concat(r.Prompt, said.Tokens))
	if err == nil && logits != r.Logits {
		return fmt.Sprintf("logits: %s in the receipt, %s here", r.Logits, logits), nil
	}
	return "", err
}

func (m *Model) logitsHash(ctx context.Context, tokens []uint32) (string, error) {
	session, err := m.Session(ctx)
	if err != nil {
		return "", err
	}
	defer session.Close(context.WithoutCancel(ctx))
	if err := session.AppendTokens(ctx, tokens); err != nil {
		return "", err
	}
	logits, err := session.Logits(ctx)
	if err != nil {
		return "", err
	}
	data, err := binary.Append(nil, binary.LittleEndian, logits)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}
