-- These stories are the receiver's next message, until it got them or cannot be reached.
UPDATE public.alert_stories SET is_offered = true WHERE receiver = %(receiver)s AND story_id = ANY (%(stories)s::uuid[])
