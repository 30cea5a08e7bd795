# Mistral, api.mistral.ai.
provider "mistral" {
  adapter  = "openai"
  base_url = "https://api.mistral.ai/v1"
  auth "bearer" {
    token = env("MISTRAL_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    stream_options   = false  # it refuses fields it does not know, and reports usage in streams unasked
    user_field       = ""
    tool_ids         = "nine" # letters and digits
    strict_order     = true
    reasoning        = "none"
  }
}
