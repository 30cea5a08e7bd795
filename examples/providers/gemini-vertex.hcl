# Gemini on Vertex AI. Its newest models are first, and some of them only, at the global location:
#   https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/global/publishers/google/models
provider "gemini-on-vertex" {
  adapter  = "gemini"
  base_url = env("VERTEX_GEMINI_URL", "https://us-central1-aiplatform.googleapis.com/v1/projects/PROJECT/locations/us-central1/publishers/google/models")
  auth "google" {
    credentials = env("GOOGLE_SERVICE_ACCOUNT_JSON")
  }
  settings = {
    platform = "vertex"
  }
}
