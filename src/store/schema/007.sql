-- Whether a tool has codes of an older system, which every mistyped code asks.

create index activation_codes_imported on activation_codes (tool_name) where is_imported = 1;
