// Package zagreus runs Zagreus and Nesso language models: zagreus.wasm in wazero. The contract is zagreus_abi.h.
package zagreus

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

const (
	abi         = 2
	bufferBytes = 1 << 20
	noToken     = math.MaxUint32
)

// Error is what a call refused; Status is ZAGREUS_STATUS_*.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// KV types of the cache.
const (
	Int8 = iota
	F32
	F16
	Int4
)

// Config of a model; the zero value is the default.
type Config struct {
	Context      int // positions of the KV cache, 0: the model's own, at most 4096
	KV           int
	MemoryBudget uint64 // bytes, 0: no limit
}

// Info about a model.
type Info struct {
	Layers, Hidden, Intermediate, Heads, KVHeads, HeadSize uint32
	Vocabulary, TrainedContext, Context, KVType            uint32
	Bos, Eos, AddBos, Relaxed                              uint32
	Parameters, FileBytes, MemoryBytes                     uint64
}

// Model is a loaded model. One goroutine at a time uses it; load one for each that shall compute at once.
type Model struct {
	Info    Info
	runtime wazero.Runtime
	module  api.Module
	memory  api.Memory
	buffer  uint32
	broken  error
}

// Load reads a GGUF file into an instance of zagreus.wasm. Cancelling ctx ends the load.
func Load(ctx context.Context, wasm []byte, file io.Reader, config Config) (_ *Model, err error) {
	// Not WithCloseOnContextDone, which makes decoding seven times as slow: ctx is looked at between calls.
	m := &Model{runtime: wazero.NewRuntime(ctx)}
	defer func() {
		if err != nil {
			m.runtime.Close(context.WithoutCancel(ctx))
		}
	}()
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return nil, err
	}
	// A command by its exports; it is embedded, so _start is not called.
	instance := wazero.NewModuleConfig().WithStartFunctions().WithRandSource(rand.Reader).WithSysNanotime()
	if m.module, err = m.runtime.InstantiateWithConfig(ctx, wasm, instance); err != nil {
		return nil, err
	}
	m.memory = m.module.Memory()
	version, err := m.number(ctx, "abi")
	if err != nil {
		return nil, err
	}
	if version != abi {
		return nil, fmt.Errorf("the module's ABI is %d, must be %d", version, abi)
	}
	address, err := m.number(ctx, "buffer")
	if err != nil {
		return nil, err
	}
	m.buffer = uint32(address)
	if _, err = m.call(ctx, "initialize"); err != nil {
		return nil, err
	}
	if err = m.push(ctx, file, config); err != nil {
		return nil, err
	}
	info, err := m.call(ctx, "info")
	if err != nil {
		return nil, err
	}
	_, err = binary.Decode(info, binary.LittleEndian, &m.Info)
	return m, err
}

func (m *Model) push(ctx context.Context, file io.Reader, config Config) error {
	_, err := m.call(ctx, "load_begin", uint64(config.Context), uint64(config.KV), config.MemoryBudget)
	piece := make([]byte, bufferBytes)
	for err == nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var count int
		count, err = io.ReadFull(file, piece)
		if count > 0 {
			if _, failed := m.with(ctx, piece[:count], "load_push", uint64(count)); failed != nil {
				return failed
			}
		}
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	_, err = m.call(ctx, "load_end")
	return err
}

// Close frees the model's memory.
func (m *Model) Close(ctx context.Context) error { return m.runtime.Close(ctx) }

// number calls what cannot fail.
func (m *Model) number(ctx context.Context, name string, arguments ...uint64) (uint64, error) {
	if m.broken != nil {
		return 0, m.broken
	}
	function := m.module.ExportedFunction("zagreus_" + name)
	if function == nil {
		return 0, fmt.Errorf("the module does not export zagreus_%s", name)
	}
	results, err := function.Call(ctx, arguments...)
	if err != nil {
		m.broken = fmt.Errorf("the model's module has failed: %w", err)
		return 0, m.broken
	}
	return results[0], nil
}

// call returns a copy of what a call gives.
func (m *Model) call(ctx context.Context, name string, arguments ...uint64) ([]byte, error) {
	status, err := m.number(ctx, name, arguments...)
	if err != nil {
		return nil, err
	}
	address, err := m.number(ctx, "result")
	if err != nil {
		return nil, err
	}
	length, err := m.number(ctx, "length")
	if err != nil {
		return nil, err
	}
	result, ok := m.memory.Read(uint32(address), uint32(length))
	if !ok {
		return nil, errors.New("the result lies outside of memory")
	}
	if status != 0 {
		return nil, &Error{int(status), string(result)}
	}
	return append([]byte(nil), result...), nil
}

// with writes bytes to the buffer before a call.
func (m *Model) with(ctx context.Context, data []byte, name string, arguments ...uint64) ([]byte, error) {
	if len(data) > bufferBytes || !m.memory.Write(m.buffer, data) {
		return nil, fmt.Errorf("%d bytes, the buffer has %d", len(data), bufferBytes)
	}
	return m.call(ctx, name, arguments...)
}

func ids(data []byte) []uint32 {
	list := make([]uint32, len(data)/4)
	for i := range list {
		list[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return list
}

// Tokenize returns the tokens of a text, with bos if the model wants it.
func (m *Model) Tokenize(ctx context.Context, text string) ([]uint32, error) {
	data, err := m.with(ctx, []byte(text), "tokenize", uint64(len(text)), 0)
	return ids(data), err
}

// Hash names weights, shape and vocabulary; every host and build has the same.
func (m *Model) Hash(ctx context.Context) (uint64, error) {
	data, err := m.call(ctx, "model_hash")
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(data), nil
}

// Metadata of the file, as text; empty where there is none.
func (m *Model) Metadata(ctx context.Context, key string) (string, error) {
	data, err := m.with(ctx, []byte(key), "metadata", uint64(len(key)))
	return string(data), err
}

// Options of a completion. A pointer that is nil is the default; Float(0) is zero.
type Options struct {
	MaxTokens, TopK, NoRepeatNgram             *float64
	Temperature, TopP, MinP, RepetitionPenalty *float64
	Seed                                       *uint64 // nil: a random one
	Stop                                       []string
	LogitBias                                  map[uint32]float64
	Grammar                                    []byte // compiled for this model by `zagreus grammar`; nil: any text
}

// Float is a pointer to a number.
func Float(value float64) *float64 { return &value }

// Seed is a pointer to a seed.
func Seed(value uint64) *uint64 { return &value }

// Session is a growing sequence of tokens.
type Session struct {
	model  *Model
	handle uint64
}

// Session opens an empty one.
func (m *Model) Session(ctx context.Context) (*Session, error) {
	data, err := m.call(ctx, "session_open")
	if err != nil {
		return nil, err
	}
	return &Session{m, uint64(binary.LittleEndian.Uint32(data))}, nil
}

// Close lets go of the session.
func (s *Session) Close(ctx context.Context) error {
	_, err := s.model.call(ctx, "session_close", s.handle)
	return err
}

// Append adds a text.
func (s *Session) Append(ctx context.Context, text string) error {
	_, err := s.model.with(ctx, []byte(text), "session_append", s.handle, uint64(len(text)), 0)
	return err
}

// AppendTokens adds token ids.
func (s *Session) AppendTokens(ctx context.Context, tokens []uint32) error {
	data, _ := binary.Append(nil, binary.LittleEndian, tokens)
	_, err := s.model.with(ctx, data, "session_append_tokens", s.handle, uint64(len(tokens)))
	return err
}

// Tokens of the session, prompts and completions.
func (s *Session) Tokens(ctx context.Context) ([]uint32, error) {
	data, err := s.model.call(ctx, "session_tokens", s.handle)
	return ids(data), err
}

// Logits behind the last token.
func (s *Session) Logits(ctx context.Context) ([]float32, error) {
	data, err := s.model.call(ctx, "logits", s.handle)
	logits := make([]float32, len(data)/4)
	for i, bits := range ids(data) {
		logits[i] = math.Float32frombits(bits)
	}
	return logits, err
}

func (s *Session) configure(ctx context.Context, options Options) error {
	numbers := []*float64{options.MaxTokens, options.Temperature, options.TopK, options.TopP, options.MinP,
		options.RepetitionPenalty, options.NoRepeatNgram} // ZAGREUS_OPTION_*, from 1 on
	for i, value := range numbers {
		if value == nil {
			continue
		}
		if _, err := s.model.call(ctx, "session_option", s.handle, uint64(i+1), api.EncodeF64(*value)); err != nil {
			return err
		}
	}
	if options.Seed != nil {
		if _, err := s.model.call(ctx, "session_seed", s.handle, *options.Seed); err != nil {
			return err
		}
	}
	if _, err := s.model.call(ctx, "session_stop", s.handle, 0); err != nil {
		return err
	}
	for _, stop := range options.Stop {
		if _, err := s.model.with(ctx, []byte(stop), "session_stop", s.handle, uint64(len(stop))); err != nil {
			return err
		}
	}
	for token, bias := range options.LogitBias {
		if _, err := s.model.call(ctx, "session_bias", s.handle, uint64(token), api.EncodeF64(bias)); err != nil {
			return err
		}
	}
	_, err := s.model.with(ctx, options.Grammar, "session_grammar", s.handle, uint64(len(options.Grammar)))
	return err
}

// prefillTokens is how much of a prompt runs before ctx is looked at.
const prefillTokens = 64

// Complete continues the session, piece by piece; an error, a cancelled ctx among them, is the last pair. Between two
// tokens a cancelled ctx leaves the session as it is.
func (s *Session) Complete(ctx context.Context, options Options) iter.Seq2[string, error] {
	return s.complete(ctx, options, &Said{})
}

// Said is what is known of a completion.
type Said struct {
	Tokens       []uint32
	EndToken     *uint32 // that ended the text and is none of it
	FinishReason string
}

func (s *Said) add(piece []byte) (ended bool) {
	words := ids(piece[:12])
	if words[1] != noToken {
		s.Tokens = append(s.Tokens, words[1])
	}
	if words[2] != noToken {
		s.EndToken = &words[2]
	}
	s.FinishReason = finishReasons[words[0]]
	return words[0] != 0
}

func (s *Session) complete(ctx context.Context, options Options, said *Said) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.configure(ctx, options)
		if err == nil {
			_, err = s.model.call(ctx, "complete", s.handle)
		}
		run := context.WithoutCancel(ctx)
		for left := uint32(1); err == nil && left > 0; err = context.Cause(ctx) {
			data, failed := s.model.call(run, "prefill", s.handle, prefillTokens)
			if failed != nil {
				yield("", failed)
				return
			}
			left = binary.LittleEndian.Uint32(data)
		}
		for ended := false; err == nil && !ended; {
			if err = context.Cause(ctx); err != nil {
				break
			}
			var piece []byte
			if piece, err = s.model.call(run, "next", s.handle); err != nil {
				break
			}
			ended = said.add(piece)
			if text := string(piece[12:]); text != "" && !yield(text, nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

// Complete continues a text, piece by piece.
func (m *Model) Complete(ctx context.Context, prompt string, options Options) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		session, err := m.Session(ctx)
		if err != nil {
			yield("", err)
			return
		}
		defer session.Close(context.WithoutCancel(ctx))
		if err = session.Append(ctx, prompt); err != nil {
			yield("", err)
			return
		}
		session.Complete(ctx, options)(yield)
	}
}
