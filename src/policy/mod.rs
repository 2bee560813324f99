//! Who may do what: the normal path, the route table, scopes and conditions.
