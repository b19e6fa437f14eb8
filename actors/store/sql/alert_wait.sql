-- Why all that a receiver still gets waits.
UPDATE public.alert_stories SET detail = %(detail)s WHERE receiver = %(receiver)s AND sent_at IS NULL
