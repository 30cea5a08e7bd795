# Fireworks. Models are named accounts/fireworks/models/NAME, or by a deployment of your own.
provider "fireworks" {
  adapter  = "openai"
  base_url = "https://api.fireworks.ai/inference/v1"
  auth "bearer" {
    token = env("FIREWORKS_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
  }
}
