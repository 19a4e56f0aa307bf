"""All that explanations say in words, in one place. AWS's wording where AWS has one, so that people can search for it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""
