// Continues a text: go run ./cmd/zagreus MODULE MODEL PROMPT. With a fourth argument, "logits", it writes those of the next token instead,
// floats of 32 bits.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"

	"example.org/zagreus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "zagreus:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) < 3 {
		return fmt.Errorf("usage: zagreus MODULE MODEL PROMPT [logits]")
	}
	wasm, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	file, err := os.Open(arguments[1])
	if err != nil {
		return err
	}
	defer file.Close()
	model, err := zagreus.Load(ctx, wasm, file, zagreus.Config{})
	if err != nil {
		return err
	}
	defer model.Close(context.Background())
	if len(arguments) > 3 {
		return writeLogits(ctx, model, arguments[2])
	}
	options := zagreus.Options{MaxTokens: zagreus.Float(64), Temperature: zagreus.Float(0.7), Seed: zagreus.Seed(1)}
	for piece, err := range model.Complete(ctx, arguments[2], options) {
		if err != nil {
			return err
		}
		fmt.Print(piece)
	}
	fmt.Println()
	return nil
}

func writeLogits(ctx context.Context, model *zagreus.Model, prompt string) error {
	session, err := model.Session(ctx)
	if err != nil {
		return err
	}
	defer session.Close(ctx)
	if err := session.Append(ctx, prompt); err != nil {
		return err
	}
	logits, err := session.Logits(ctx)
	if err != nil {
		return err
	}
	return binary.Write(os.Stdout, binary.LittleEndian, logits)
}
