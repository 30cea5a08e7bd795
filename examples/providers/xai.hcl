# xAI.
provider "xai" {
  adapter  = "openai"
  base_url = "https://api.x.ai/v1"
  auth "bearer" {
    token = env("XAI_API_KEY")
  }
  settings = {
    leave_out = ["stop"] # refused by models that think
  }
}
