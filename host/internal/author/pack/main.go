// Command pack writes the author's kit that the server embeds: go run ./host/internal/author/pack, from the repository's root.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ainfera-ai/router/host/internal/author"
)

func main() {
	packed, err := author.Pack(".")
	if err == nil {
		err = os.WriteFile(filepath.Join("host", "internal", "author", "kit", "kit.zip"), packed, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}
