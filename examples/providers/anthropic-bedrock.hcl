# Claude on Amazon Bedrock. upstream is the model's or the inference profile's id: us.anthropic.claude-sonnet-4-5-20250929-v1:0.
provider "bedrock" {
  adapter  = "anthropic"
  base_url = "https://bedrock-runtime.us-east-1.amazonaws.com"
  auth "aws_sigv4" {
    region            = "us-east-1"
    service           = "bedrock"
    access_key_id     = env("AWS_ACCESS_KEY_ID")
    secret_access_key = env("AWS_SECRET_ACCESS_KEY")
    session_token     = env("AWS_SESSION_TOKEN")
  }
  settings = {
    platform = "bedrock"
    # without_beta = ["web-search-*"] # callers' betas that this region or model refuses yet, beside Anthropic's own
  }
}
