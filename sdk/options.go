package sdk

// Options keeps what an adapter makes of its settings. A provider's settings are the same for every call of it, so that
// nearly all calls of an instance find them read already. The zero Options is ready.
type Options[T any] struct {
	value    T
	settings []byte // that value was read from; nil before the first
}

// Of returns what read makes of c's settings; it isn't called when they are those of the last call. What it may look at is
// c's settings alone. An error is returned as it is, and nothing kept.
func (o *Options[T]) Of(c *Call, read func(*Call) (T, error)) (*T, error) {
	if given := c.Settings(); o.settings == nil || string(given) != string(o.settings) {
		value, err := read(c)
		if err != nil {
			return nil, err
		}
		o.value = value
		o.settings = append(make([]byte, 0, len(given)), given...)
	}
	return &o.value, nil
}
