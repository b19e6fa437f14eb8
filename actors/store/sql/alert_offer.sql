-- Make these stories the receiver's next message, until the message is sent or the receiver cannot be reached.
UPDATE public.alert_stories SET is_offered = true WHERE receiver = %(receiver)s AND story_id = ANY (%(stories)s::uuid[])
