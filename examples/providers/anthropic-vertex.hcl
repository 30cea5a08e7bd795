# Claude on Vertex AI. upstream is the model's id there: claude-sonnet-4-5@20250929.
provider "claude-on-vertex" {
  adapter  = "anthropic"
  base_url = env("VERTEX_ANTHROPIC_URL", "https://us-east5-aiplatform.googleapis.com/v1/projects/PROJECT/locations/us-east5/publishers/anthropic/models")
  auth "google" {
    credentials = env("GOOGLE_SERVICE_ACCOUNT_JSON") # the key file's text; file("path") reads a mounted one
  }
  settings = {
    platform = "vertex"
    # without_beta = ["web-search-*"] # callers' betas that this region or model refuses yet, beside Anthropic's own
  }
}
