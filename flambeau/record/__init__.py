"""The recorder: matching operations against known programs, and running what is pending."""
