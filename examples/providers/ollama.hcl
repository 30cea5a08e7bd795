# Ollama on this machine, by its OpenAI face. Its own protocol is spoken by examples/guests/ollama-c.
provider "ollama" {
  adapter  = "openai"
  base_url = "http://127.0.0.1:11434/v1" # an address written out may be private; a name that resolves to one needs allow_private = true
  settings = {
    max_tokens_field = "max_tokens"
  }
}
