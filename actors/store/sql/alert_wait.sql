-- Record why the receiver's unsent stories wait, and whether the next attempt sends the same message.
UPDATE public.alert_stories SET detail = %(detail)s, is_offered = is_offered AND %(is_kept)s
WHERE receiver = %(receiver)s AND sent_at IS NULL
