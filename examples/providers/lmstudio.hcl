# LM Studio on this machine.
provider "lmstudio" {
  adapter  = "openai"
  base_url = "http://127.0.0.1:1234/v1"
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "none"
  }
}
