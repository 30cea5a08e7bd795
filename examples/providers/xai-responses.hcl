# xAI, Responses: what its models think, which its Chat Completions don't give away, and which survives a tool's round trip.
provider "xai-responses" {
  adapter  = "openai-responses"
  base_url = "https://api.x.ai/v1"
  auth "bearer" {
    token = env("XAI_API_KEY")
  }
  settings = {
    count_path = ""     # tokens are estimated
    documents  = false  # it takes files by their address or id, none that is sent along
    user_field = "user" # its name for the caller's metadata.user_id
  }
}
