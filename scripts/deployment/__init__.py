"""The template as CloudFormation sees it, and `sam local`, with the SAM CLI's own code."""
