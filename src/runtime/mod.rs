//! Agents, runners and the plan that puts them on cores.
