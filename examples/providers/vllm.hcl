# vLLM on this machine: vllm serve MODEL --enable-auto-tool-choice --tool-call-parser NAME, or tools are refused.
provider "vllm" {
  adapter  = "openai"
  base_url = "http://127.0.0.1:8000/v1"
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "none"
    # strict_order   = true # for models of Mistral's, whose templates take no user's message behind a tool's
  }
}
