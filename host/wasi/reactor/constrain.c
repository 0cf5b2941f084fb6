// Completions within a grammar.

#include "reactor.h"

static struct block plans[ZAGREUS_MAX_SESSIONS];

/** The sentence for a status of grammar.h. */
static int32_t grammar_answer(int status) {
  if (status == OK) return OK;
  if (status == BAD_GRAMMAR) return refused(status, "the grammar: %s", trouble.words);
  return refused_value(status, "memory", trouble.needed, memory_budget);
}

int32_t zagreus_session_grammar(uint32_t handle, uint32_t length) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  if ((status = check_buffer(length)) != OK) return status;
  session->completing = false;
  leave(session);
  if ((status = grammar_answer(set_grammar(&session->constraint, length))) != OK || !length) return status == OK ? give_nothing() : status;
  struct block *plan = &plans[handle % ZAGREUS_MAX_SESSIONS];
  if ((status = reserve(plan, (size_t)model.context * sizeof(uint32_t))) != OK) {
    drop_grammar(&session->constraint);
    return status;
  }
  session->constraint.plan = plan->bytes;
  return give_nothing();
}

int32_t begin_grammar(struct session *session) {
  double shortest;
  if (!session->constraint.grammar) return OK;
  int32_t status = grammar_answer(begin_constrained(&session->constraint, &shortest));
  if (status != OK) return status;
  if (shortest > session->max_tokens) {
    return refused(BAD_OPTION, "\"maxTokens\" is %f, must be at least %f for the grammar", session->max_tokens, shortest);
  }
  double length = (double)session->count + shortest;
  return length > model.context ? refused_value(CONTEXT_OVERFLOW, "", length, model.context) : OK;
}

int32_t mask_tokens(struct session *session) {
  if (!session->constraint.grammar) return OK;
  size_t said = session->count - session->prompt, room = (size_t)model.context - session->count;
  double left = session->max_tokens - (double)said;
  return grammar_answer(allow_tokens(&session->constraint, session->ids + session->prompt, said, left < (double)room ? (size_t)left : room));
}

int32_t follow_token(struct session *session) {
  if (!session->constraint.grammar) return OK;
  return grammar_answer(accept_token(&session->constraint, session->ids + session->prompt, session->count - session->prompt));
}
