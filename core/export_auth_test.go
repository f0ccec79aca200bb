package core

import "context"

// Settled returns what an Auth made of its Config: every default filled in.
func Settled(a *Auth) Config { return a.config }

// ReadFeed reads the store's feed once, from its beginning.
func (a *Auth) ReadFeed(ctx context.Context) { a.readFeed(ctx, new(follower), 0) }
