"""Run by Alembic: migrations go through the connection, and in the transaction, of whoever asked for them."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
