# Together AI.
provider "together" {
  adapter  = "openai"
  base_url = "https://api.together.xyz/v1"
  auth "bearer" {
    token = env("TOGETHER_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "none"
  }
}
